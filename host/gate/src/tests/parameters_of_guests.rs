//! Requests about guests whose parameters decide: what each needs, exactly.

use super::*;
use Verb::{Post, Put};

const QEMU: &str = "/nodes/pve1/qemu/101/config";
const LXC: &str = "/nodes/pve1/lxc/101/config";
const DISK: &str = "VM.Config.Disk@/vms/101";
const CDROM: &str = "VM.Config.CDROM@/vms/101";
const CLOUD_INIT: &str = "VM.Config.Cloudinit@/vms/101";
const NETWORK: &str = "VM.Config.Network@/vms/101";
const HARDWARE: &str = "VM.Config.HWType@/vms/101";
const OPTIONS: &str = "VM.Config.Options@/vms/101";
const MEMORY: &str = "VM.Config.Memory@/vms/101";
const CPU: &str = "VM.Config.CPU@/vms/101";
const POWER: &str = "VM.PowerMgmt@/vms/101";
const ALLOCATE: &str = "VM.Allocate@/vms/101";
const ANY_SPACE: &str = "Datastore.AllocateSpace@/storage";
const ANY_BRIDGE: &str = "SDN.Use@/sdn/zones";
const NODE_WIDE: &str = "Sys.Modify@/";

#[test]
fn options_of_virtual_machines() {
    for (pairs, needed) in [
        ("memory=4096", &[MEMORY][..]),
        ("balloon=0 shares=10 allow-ksm=1", &[MEMORY]),
        ("cores=2 sockets=1 numa=1 vcpus=2 numa0=cpus=0", &[CPU]),
        ("cpu=host", &[CPU]),
        ("cpu=custom-fast,flags=+aes", &[CPU, "Mapping.Use@/mapping/cpu/fast"]),
        ("description=x tags=a onboot=1 agent=1 protection=0 name=web bios=ovmf", &[OPTIONS]),
        ("startup=order=1", &[OPTIONS, NODE_WIDE]),
        ("template=1", &[OPTIONS, ALLOCATE]),
        ("machine=q35 vga=std serial0=socket hotplug=disk", &[HARDWARE]),
        ("boot=order=scsi0", &[DISK]),
        ("vmstatestorage=nfs", &[DISK, "Datastore.AllocateSpace@/storage/nfs"]),
        ("freeze=1", &[POWER, OPTIONS]),
        ("ciuser=joe cipassword=x sshkeys=k", &[CLOUD_INIT]),
        ("ipconfig0=ip=dhcp", &[CLOUD_INIT, NETWORK]),
        ("cicustom=user=local:snippets/a.yaml", &[CLOUD_INIT, "Datastore.Allocate@/storage/local"]),
        ("net0=virtio,bridge=vmbr0", &[NETWORK, "SDN.Use@/sdn/zones/localnetwork/vmbr0"]),
        ("net0=virtio,bridge=vmbr0,tag=20", &[NETWORK, "SDN.Use@/sdn/zones/localnetwork/vmbr0/20"]),
        ("net0=virtio,bridge=vmbr0,tag=20,trunks=1;2", &[NETWORK, "SDN.Use@/sdn/zones/localnetwork/vmbr0"]),
        ("net0=virtio,bridge=lab", &[NETWORK, ANY_BRIDGE]),
        ("net0=virtio,bridge=vmbr01", &[NETWORK, ANY_BRIDGE]),
        ("net0=virtio", &[NETWORK, "SDN.Use@/sdn/zones/localnetwork"]),
        ("usb0=spice", &[HARDWARE]),
        ("usb0=mapping=stick", &[HARDWARE, "Mapping.Use@/mapping/usb/stick"]),
        ("hostpci0=mapping=gpu", &[HARDWARE, "Mapping.Use@/mapping/pci/gpu"]),
        ("rng0=source=/dev/urandom", &[HARDWARE]),
        ("rng0=source=/dev/hwrng", &[HARDWARE, "Mapping.Use@/mapping/hwrng"]),
        ("virtiofs0=share", &[DISK, "Mapping.Use@/mapping/dir/share"]),
        ("digest=abc", &[OPTIONS]),
        ("delete=memory,cores", &[MEMORY, CPU]),
        ("revert=net0 delete=description", &[OPTIONS, NETWORK]),
        ("delete=unused0", &[DISK, ANY_SPACE]),
        ("delete=scsi0", &[DISK]),
        ("delete=scsi0 force=1", &[DISK, ANY_SPACE]),
        ("delete=vmstate", &[DISK, POWER, ANY_SPACE]),
    ] {
        needs_exactly(&Call::of(Put, QEMU, pairs), needed);
        needs_exactly(&Call::of(Post, QEMU, pairs), needed);
    }
}

#[test]
fn drives_of_virtual_machines() {
    let space = "Datastore.AllocateSpace@/storage/local-lvm";
    for (pairs, needed) in [
        ("scsi1=local-lvm:32", &[DISK, space][..]),
        ("scsi1=local-lvm:101", &[DISK, space]),
        ("scsi1=file=local-lvm:32,media=disk", &[DISK, space]),
        ("efidisk0=local-lvm:1 tpmstate0=local-lvm:1", &[DISK, space]),
        ("scsi0=local-lvm:vm-101-disk-0,cache=writeback", &[DISK]),
        ("scsi0=zfs:base-9000-disk-0/vm-101-disk-0", &[DISK]),
        ("unused0=local-lvm:vm-101-disk-1", &[DISK]),
        (
            "scsi1=local-lvm:vm-102-disk-0",
            &[DISK, "VM.Config.Disk@/vms/102", "Datastore.Audit@/storage/local-lvm"],
        ),
        ("unused0=a1:vm-102-disk-0", &[DISK, "VM.Config.Disk@/vms/102", "Datastore.Audit@/storage/a1"]),
        ("scsi1=nfs:odd", &[DISK, "Datastore.Allocate@/storage/nfs"]),
        ("ide2=local:iso/a.iso,media=cdrom", &[CDROM, DISK, "Datastore.Audit@/storage/local"]),
        ("cdrom=local:iso/a.iso", &[CDROM, DISK, "Datastore.Audit@/storage/local"]),
        ("ide2=none,media=cdrom", &[CDROM, DISK]),
        ("ide2=cdrom", &[CDROM, DISK, "Sys.Console@/"]),
        ("ide2=local-lvm:cloudinit", &[CLOUD_INIT, CDROM, DISK, space]),
        ("ide2=local-lvm:vm-101-cloudinit,media=cdrom", &[CLOUD_INIT, CDROM, DISK]),
        (
            "scsi1=local-lvm:0,import-from=nfs:vm-102-disk-0",
            &[DISK, space, "VM.Clone@/vms/102", "Datastore.Audit@/storage/nfs"],
        ),
        (
            "scsi1=local-lvm:0,import-from=nfs:import/a.qcow2",
            &[DISK, space, "Datastore.AllocateSpace@/storage/nfs"],
        ),
    ] {
        needs_exactly(&Call::of(Put, QEMU, pairs), needed);
    }
}

#[test]
fn what_is_for_root_or_cannot_be_judged() {
    for (path, pairs, code) in [
        (QEMU, "args=-S", "root_only_parameter"),
        (QEMU, "lock=backup", "root_only_parameter"),
        (QEMU, "delete=lock", "root_only_parameter"),
        (QEMU, "revert=args", "root_only_parameter"),
        (QEMU, "skiplock=1 memory=64", "root_only_parameter"),
        (QEMU, "hookscript=local:snippets/a", "root_only_parameter"),
        (QEMU, "affinity=0", "root_only_parameter"),
        (QEMU, "serial0=/dev/ttyS0", "root_only_parameter"),
        (QEMU, "usb0=host=1234:5678", "root_only_parameter"),
        (QEMU, "usb0=spice,mapping=x", "root_only_parameter"),
        (QEMU, "hostpci0=0000:01:00.0", "root_only_parameter"),
        (QEMU, "hostpci0=mapping=gpu,romfile=x", "root_only_parameter"),
        (QEMU, "scsi0=/dev/sda", "root_only_parameter"),
        (QEMU, "ide2=/etc/shadow,media=cdrom", "root_only_parameter"),
        (QEMU, "scsi0=vm-101-disk-0", "root_only_parameter"),
        (QEMU, "scsi1=a1:0,import-from=/etc/shadow", "root_only_parameter"),
        (QEMU, "cicustom=user=/etc/shadow", "root_only_parameter"),
        (QEMU, "unused0=/dev/sda", "bad_parameter"),
        (QEMU, "scsi0=local:../x", "bad_parameter"),
        (QEMU, "scsi0=file=a1:1,volume=local:vm-102-disk-0", "bad_parameter"),
        (QEMU, "scsi0=a1:1,file=local:vm-102-disk-0", "bad_parameter"),
        (QEMU, "scsi0=a1:vm-101-x,import-from=a1:vm-101-y", "bad_parameter"),
        (QEMU, "scsi0=a1:0,import-from=b1:backup/vzdump-qemu-101-x.vma", "bad_parameter"),
        (QEMU, "scsi0=media=disk", "bad_parameter"),
        (QEMU, "scsi0=a1:1,media=tape", "bad_parameter"),
        (QEMU, "ide2=a1:1,media=cdrom", "bad_parameter"),
        (QEMU, "scsi0=32", "bad_parameter"),
        (QEMU, "ide2=cloudinit", "bad_parameter"),
        (QEMU, "net0=virtio,bridge=vmbr0,bridge=vmbr1", "bad_parameter"),
        (QEMU, "net0=virtio,bridge=vmbr0,tag=0x14", "bad_parameter"),
        (QEMU, "net0=virtio,bridge=vmbr0,tag=2/3", "bad_parameter"),
        (QEMU, "usb0=mapping=../x", "bad_parameter"),
        (QEMU, "virtiofs0=a/b", "bad_parameter"),
        (QEMU, "cpu=custom-a/b", "bad_parameter"),
        (QEMU, "delete=nosuch", "bad_parameter"),
        (QEMU, "delete=digest", "bad_parameter"),
        (LXC, "mp0=/srv,mp=/mnt", "root_only_parameter"),
        (LXC, "rootfs=volume=/dev/sdb", "root_only_parameter"),
        (LXC, "rootfs=none", "bad_parameter"),
        (LXC, "mp0=8,mp=/mnt", "bad_parameter"),
        (LXC, "dev0=/dev/kvm", "root_only_parameter"),
        (LXC, "hookscript=local:snippets/a", "root_only_parameter"),
        (LXC, "features=nesting=1,keyctl=1", "root_only_parameter"),
        (LXC, "features=mount=nfs", "root_only_parameter"),
        (LXC, "delete=features", "root_only_parameter"),
        (LXC, "lock=backup", "root_only_parameter"),
    ] {
        let denied = elevated(Call::of(Put, path, pairs).raw()).map(|_| ()).expect_err(pairs);
        assert_eq!((denied.code(), denied.grant()), (code, None), "{pairs}: {denied}");
    }
}

#[test]
fn options_of_containers() {
    for (pairs, needed) in [
        ("memory=512 swap=0", &[MEMORY][..]),
        ("cores=1 cpulimit=2", &[CPU]),
        ("hostname=web nameserver=10.0.0.1", &[NETWORK]),
        ("net0=name=eth0,bridge=vmbr1,tag=7", &[NETWORK, "SDN.Use@/sdn/zones/localnetwork/vmbr1/7"]),
        ("onboot=1 description=x tags=a", &[OPTIONS]),
        ("startup=order=1", &[OPTIONS, NODE_WIDE]),
        ("unprivileged=1", &[OPTIONS, NODE_WIDE]),
        ("features=nesting=1", &[ALLOCATE, OPTIONS]),
        ("mp0=nfs:8,mp=/data", &[DISK, "Datastore.AllocateSpace@/storage/nfs"]),
        ("rootfs=zfs:subvol-101-disk-0,size=8G", &[DISK]),
        (
            "mp0=zfs:subvol-102-disk-0,mp=/x",
            &[DISK, "VM.Config.Disk@/vms/102", "Datastore.Audit@/storage/zfs"],
        ),
        ("delete=mp0", &[DISK]),
        ("delete=net0,hostname", &[NETWORK]),
    ] {
        needs_exactly(&Call::of(Put, LXC, pairs), needed);
    }
}

#[test]
fn making_virtual_machines() {
    let space = "Datastore.AllocateSpace@/storage/a1";
    let iso = "Datastore.Audit@/storage/local";
    for (pairs, needed) in [
        ("vmid=101", &[ALLOCATE][..]),
        ("vmid=101 scsi0=a1:8 memory=64", &[ALLOCATE, MEMORY, space]),
        ("vmid=101 scsi0=8 storage=a1", &[ALLOCATE, space]),
        ("vmid=101 ide2=local:iso/a.iso,media=cdrom", &[ALLOCATE, iso]),
        ("vmid=101 start=1 ha-managed=1", &[ALLOCATE, "Sys.Console@/", POWER]),
        ("vmid=101 net0=virtio,bridge=vmbr0", &[ALLOCATE, NETWORK, "SDN.Use@/sdn/zones/localnetwork/vmbr0"]),
        (
            "vmid=101 archive=b1:backup/vzdump-qemu-102-x.vma storage=a1 force=1",
            &[ALLOCATE, space, "VM.Backup@/vms/102", "Datastore.AllocateSpace@/storage/b1", ANY_BRIDGE],
        ),
        (
            "vmid=101 archive=b1:backup/vzdump-qemu-101-x.vma",
            &[ALLOCATE, "VM.Backup@/vms/101", ANY_BRIDGE, ANY_SPACE],
        ),
        (
            "vmid=101 archive=b1:backup/vzdump-qemu-101-x.vma live-restore=1",
            &[ALLOCATE, "VM.Backup@/vms/101", ANY_BRIDGE, ANY_SPACE, POWER],
        ),
    ] {
        let call = Call::of(Post, "/nodes/pve1/qemu", pairs);
        needs_exactly(&call, needed);
    }
    for (pairs, code) in [
        ("vmid=101 archive=/var/lib/x.vma", "root_only_parameter"),
        ("vmid=101 archive=-", "root_only_parameter"),
        ("vmid=101 archive=local:iso/a.iso", "bad_parameter"),
        ("vmid=101 archive=local:32", "bad_parameter"),
        ("vmid=101 scsi0=8", "bad_parameter"),
        ("vmid=101 args=-S", "root_only_parameter"),
        ("memory=64", "bad_parameter"),
    ] {
        let denied = elevated(Call::of(Post, "/nodes/pve1/qemu", pairs).raw()).map(|_| ()).expect_err(pairs);
        assert_eq!(denied.code(), code, "{pairs}: {denied}");
    }
}

#[test]
fn making_guests_in_a_pool_takes_privileges_of_the_pool() {
    let call = Call::of(Post, "/nodes/pve1/qemu", "vmid=101 pool=dev memory=64");
    let check = |grants: &str| granted(grants).check(&anything(), call.raw(), &NoPools).is_ok();
    assert!(check("VM.Allocate@/pool/dev,VM.Config.Memory@/pool/dev"));
    assert!(check("VM.Allocate@/vms/101,VM.Config.Memory@/pool/dev"));
    assert!(!check("VM.Allocate@/pool/dev"));
    assert!(!check("VM.Allocate@/pool/prod,VM.Config.Memory@/pool/dev"));
    let elsewhere = Call::of(Post, "/nodes/pve1/qemu", "vmid=101 memory=64");
    let denied = granted("VM.*@/pool/dev").check(&anything(), elsewhere.raw(), &NoPools).unwrap_err();
    assert_eq!(denied.grant().as_deref(), Some("VM.Allocate@/vms/101,VM.Config.Memory@/vms/101"));
}

#[test]
fn making_containers() {
    let template = "Datastore.Audit@/storage/tpl";
    for (pairs, needed) in [
        ("rootfs=a1:8", &[ALLOCATE, template, DISK, "Datastore.AllocateSpace@/storage/a1"][..]),
        ("rootfs=8", &[ALLOCATE, template, DISK, "Datastore.AllocateSpace@/storage/local"]),
        ("", &[ALLOCATE, template, "Datastore.AllocateSpace@/storage/local"]),
        ("storage=a1", &[ALLOCATE, "Datastore.AllocateSpace@/storage/a1", template]),
        (
            "storage=a1 unprivileged=0",
            &[ALLOCATE, "Datastore.AllocateSpace@/storage/a1", template, NODE_WIDE],
        ),
        (
            "storage=a1 restore=1 unprivileged=1",
            &[ALLOCATE, "Datastore.AllocateSpace@/storage/a1", template, ANY_BRIDGE],
        ),
        (
            "storage=a1 restore=1",
            &[ALLOCATE, "Datastore.AllocateSpace@/storage/a1", template, ANY_BRIDGE, NODE_WIDE],
        ),
        ("storage=a1 start=1", &[ALLOCATE, "Datastore.AllocateSpace@/storage/a1", POWER, template]),
    ] {
        let pairs = format!("vmid=101 ostemplate=tpl:vztmpl/debian.tar.zst {pairs}");
        needs_exactly(&Call::of(Post, "/nodes/pve1/lxc", &pairs), needed);
    }
    let call =
        Call::of(Post, "/nodes/pve1/lxc", "vmid=101 ostemplate=b1:backup/vzdump-lxc-102-x.tar storage=a1");
    needs_exactly(
        &call,
        &[
            ALLOCATE,
            "Datastore.AllocateSpace@/storage/a1",
            "VM.Backup@/vms/102",
            "Datastore.AllocateSpace@/storage/b1",
            ANY_BRIDGE,
            NODE_WIDE,
        ],
    );
}

#[test]
fn copying_moving_and_pausing() {
    let migrate = "VM.Migrate@/vms/101";
    let space = "Datastore.AllocateSpace@/storage/a1";
    for (verb, path, pairs, needed) in [
        (
            Post,
            "qemu/101/clone",
            "newid=150 storage=a1",
            &["VM.Clone@/vms/101", "VM.Allocate@/vms/150", space, ANY_BRIDGE][..],
        ),
        (
            Post,
            "lxc/101/clone",
            "newid=150",
            &["VM.Clone@/vms/101", "VM.Allocate@/vms/150", ANY_SPACE, ANY_BRIDGE],
        ),
        (Post, "qemu/101/migrate", "target=pve2 online=1", &[migrate]),
        (Post, "qemu/101/migrate", "target=pve2 targetstorage=1", &[migrate]),
        (Post, "qemu/101/migrate", "target=pve2 with-local-disks=1", &[migrate, ANY_SPACE]),
        (
            Post,
            "qemu/101/migrate",
            "target=pve2 targetstorage=a1 with-local-disks=1",
            &[migrate, space, DISK],
        ),
        (Post, "lxc/101/migrate", "target=pve2 target-storage=b1:a1,1", &[migrate, space, DISK]),
        (Post, "qemu/101/move_disk", "disk=scsi0 storage=a1", &[DISK, space]),
        (
            Post,
            "qemu/101/move_disk",
            "disk=scsi0 target-vmid=102",
            &[DISK, ANY_SPACE, "VM.Config.Disk@/vms/102"],
        ),
        (
            Post,
            "lxc/101/move_volume",
            "volume=mp0 target-vmid=102",
            &[DISK, ANY_SPACE, "VM.Config.Disk@/vms/102"],
        ),
        (Put, "qemu/101/resize", "disk=scsi0 size=+1G", &[DISK, ANY_SPACE]),
        (Put, "lxc/101/resize", "disk=rootfs size=+1G", &[DISK, ANY_SPACE]),
        (Put, "qemu/101/unlink", "idlist=scsi1", &[DISK]),
        (Put, "qemu/101/unlink", "idlist=unused0", &[DISK, ANY_SPACE]),
        (Put, "qemu/101/unlink", "idlist=memory", &[DISK, MEMORY]),
        (Post, "qemu/101/status/suspend", "", &[POWER]),
        (Post, "qemu/101/status/suspend", "todisk=1", &[POWER, DISK, ANY_SPACE]),
        (Post, "qemu/101/status/suspend", "todisk=1 statestorage=a1", &[POWER, DISK, space]),
        (Post, "qemu/101/snapshot/a1/rollback", "", &["VM.Snapshot.Rollback@/vms/101"]),
        (Post, "lxc/101/snapshot/a1/rollback", "start=1", &["VM.Snapshot.Rollback@/vms/101", POWER]),
        (Post, "qemu/101/template", "", &[ALLOCATE]),
    ] {
        needs_exactly(&Call::of(verb, &format!("/nodes/pve1/{path}"), pairs), needed);
    }
    for (path, pairs) in [
        ("qemu/101/migrate", "target=pve2 force=1"),
        ("qemu/101/migrate", "target=pve2 migration_network=10.0.0.0/24"),
        ("qemu/101/status/start", "skiplock=1"),
        ("qemu/101/status/start", "machine=q35"),
        ("qemu/101/status/start", "stateuri=tcp"),
        ("qemu/101/status/stop", "keepActive=1"),
        ("qemu/101/status/resume", "nocheck=1"),
        ("termproxy", "cmd=login"),
    ] {
        let denied = elevated(Call::of(Post, &format!("/nodes/pve1/{path}"), pairs).raw()).unwrap_err();
        assert_eq!(denied.code(), "root_only_parameter", "{path} {pairs}: {denied}");
    }
}
