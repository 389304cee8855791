//! The small cluster that the recorded exchanges come from.

use serde_json::json;

use super::full_token;
use crate::agent::{Agent, System};
use crate::auth::{ApiToken, Caller, Subject, User};
use crate::world::{Guest, GuestKind, Node, NodeState, Pool, Snapshot, Storage, Task, Upid, Volume, World};
use crate::{Options, Token};

const MIB: u64 = 1 << 20;

/// Builds the cluster and its unrestricted token.
pub(super) fn build(options: &Options) -> (World, Token) {
    let mut world = World::empty(options);
    let now = world.clock.unix();
    world.cluster = Some("testcluster".into());
    world.local = "pve1".into();
    world.nodes = vec![node(1, now), node(2, now)];
    world.storages = storages();
    for guest in guests(now) {
        world.guests.insert(guest.vmid, guest);
    }
    let prod = Pool { comment: "production".into(), guests: [100, 102].into(), ..Pool::default() };
    world.pools.insert("prod".into(), prod);
    world.tasks = past_tasks();
    // The recorded nodes had no keys of each other.
    world.ssh = false;
    let token = access(&mut world);
    (world, token)
}

fn node(number: usize, now: u64) -> Node {
    Node {
        name: format!("pve{number}"),
        number,
        ip: format!("10.99.0.{number}"),
        state: NodeState::Online,
        booted: now - 3050,
        cpus: 2,
        cores: 2,
        sockets: 1,
        model: "AMD EPYC".into(),
        mhz: "2596.130".into(),
        memory: 25_276_502_016,
        swap: 0,
        rootfs: 270_553_174_016,
        fingerprint:
            "E4:5D:53:43:B9:8D:21:B2:1B:96:4B:63:E7:1E:31:06:FE:AB:E8:FC:5E:4B:F1:94:11:18:F3:6E:18:C8:FD:F0"
                .into(),
        disks: Vec::new(),
        load: 0.9,
        memory_use: 0.17,
        efi: false,
        system: crate::world::system::System::new(&format!("pve{number}"), &format!("10.99.0.{number}"), now),
    }
}

fn storages() -> Vec<Storage> {
    let storage = |name: &str, content: &[&'static str], path: &str| Storage {
        name: name.into(),
        kind: "dir",
        content: content.to_vec(),
        shared: false,
        enabled: true,
        total: 270_553_174_016,
        fill: 0.09,
        growth: 0,
        written: 0,
        options: vec![("path".into(), path.into())],
        volumes: Vec::new(),
    };
    let mut local =
        storage("local", &["iso", "vztmpl", "backup", "images", "snippets", "import"], "/var/lib/vz");
    local.options.push(("prune-backups".into(), "keep-all=1".into()));
    let mut backup = storage("backup", &["iso", "vztmpl", "backup"], "/srv/pve-store/backup");
    backup.volumes = vec![
        Volume {
            name: "backup/vzdump-qemu-101-2026_11_22-09_36_01.vma.zst".into(),
            node: Some("pve1".into()),
            content: "backup",
            format: "vma.zst",
            size: 18_405_824,
            ctime: 1_795_340_161,
            vmid: Some(101),
            subtype: Some("qemu"),
            notes: Some("guest101".into()),
            ..Volume::default()
        },
        Volume {
            name: "vztmpl/busybox-1.35_amd64.tar.gz".into(),
            node: Some("pve1".into()),
            content: "vztmpl",
            format: "tgz",
            size: 1_036_663,
            ctime: 1_795_340_265,
            vmid: None,
            subtype: None,
            notes: None,
            ..Volume::default()
        },
    ];
    vec![local, backup, storage("vmdata", &["images", "rootdir", "snippets"], "/srv/pve-store/local2")]
}

fn guests(now: u64) -> Vec<Guest> {
    let vm = |vmid: u32, name: &str, memory: u64, disk: u64, node: &str| {
        let mut guest = Guest::new(vmid, GuestKind::Qemu, name, node);
        guest.cores = 1;
        guest.memory = memory * MIB;
        guest.disk = disk * MIB;
        guest.storage = "vmdata".into();
        guest.volume = format!("{vmid}/vm-{vmid}-disk-0.qcow2");
        guest.started = now - 541;
        guest
    };
    let mut web = vm(100, "web-frontend", 512, 1024, "pve1");
    web.cores = 2;
    web.tags = vec!["prod".into(), "web".into()];
    web.volume = "100/vm-100-disk-0.raw".into();
    let mut main = vm(101, "guest101", 256, 64, "pve1");
    main.running = true;
    main.agent = Agent::running(System::Linux);
    main.extra = [
        ("cpu", json!("qemu64")),
        ("vga", json!("serial0")),
        ("kvm", json!(0)),
        ("serial0", json!("socket")),
    ]
    .map(|(k, v)| (k.to_owned(), v))
    .into();
    main.snapshots.push(Snapshot {
        name: "before1".into(),
        time: 1_795_339_884,
        description: "first".into(),
        parent: None,
        with_memory: false,
        running: true,
        ..Snapshot::default()
    });
    let mut db = vm(102, "db-primary", 1024, 2048, "pve1");
    db.tags = vec!["db".into(), "prod".into()];
    db.protection = true;
    db.agent = Agent::running(System::Linux);
    let mut bare = vm(103, "noagent", 64, 1024, "pve1");
    bare.running = true;
    bare.mac.clear();
    bare.ignores_shutdown = true;
    let mut silent = vm(104, "agentdead", 64, 1024, "pve1");
    silent.running = true;
    silent.mac.clear();
    silent.agent = Agent::silent();
    let mut restored = vm(105, "restored", 256, 64, "pve1");
    restored.extra.insert("serial0".into(), json!("socket"));
    let mut template = vm(9000, "tmpl-debian", 512, 1024, "pve1");
    template.template = true;
    template.volume = "9000/base-9000-disk-0.qcow2".into();
    let mut other = vm(110, "guest110", 256, 64, "pve2");
    other.tags = vec!["node2".into()];
    let mut halted = vm(111, "halt111", 64, 1024, "pve2");
    halted.running = true;
    let containers = [(200, "ct200"), (201, "ct-dns")].map(|(vmid, name)| container(vmid, name));
    [web, main, db, bare, silent, restored, template, other, halted].into_iter().chain(containers).collect()
}

fn container(vmid: u32, name: &str) -> Guest {
    let mut guest = Guest::new(vmid, GuestKind::Lxc, name, "pve1");
    guest.memory = 128 * MIB;
    guest.disk = 4096 * MIB;
    guest.storage = "vmdata".into();
    guest.volume = format!("{vmid}/subvol-{vmid}-disk-0.subvol");
    guest.tags = vec!["ct".into(), "infra".into()];
    guest.ostype = "unmanaged".into();
    guest
}

fn past_tasks() -> Vec<Task> {
    let caller = Caller { user: "root@pam".into(), token: Some("mcp".into()) };
    let past = |text: &str, exit: &str, seconds: u64| {
        let upid = Upid::parse(text)?;
        let end = upid.start + seconds;
        Some(Task::past(upid, caller.clone(), Vec::new(), exit, end))
    };
    let all = [
        past("UPID:pve1:00002318:000452C9:6B02B7FB:vzcreate:200:root@pam!mcp:", "OK", 1),
        past("UPID:pve1:000023A2:000454F9:6B02B800:vzcreate:201:root@pam!mcp:", "OK", 1),
        past(
            "UPID:pve1:000023D2:0004571D:6B02B806:vzstart:200:root@pam!mcp:",
            "unable to get PID for CT 200 (not running?)",
            0,
        ),
    ];
    all.into_iter().flatten().collect()
}

fn access(world: &mut World) -> Token {
    let user = |comment: &str| User {
        enabled: true,
        comment: Some(comment.into()),
        email: Some(String::new()),
        ..User::default()
    };
    let roots = User { enabled: true, email: Some("root@localhost".into()), ..User::default() };
    let alice = User { password: Some("Secret-123".into()), ..user("x") };
    let users = [
        ("root@pam", roots),
        ("agentop@pve", user("agentop test user")),
        ("alice2@pve", alice),
        ("alice@pve", user("alice test user")),
        ("auditor@pve", user("auditor test user")),
        ("gone@pve", User { enabled: false, ..User::default() }),
        ("nobody@pve", user("nobody test user")),
        ("operator@pve", user("operator test user")),
    ];
    world.access.users.extend(users.map(|(id, user)| (id.to_owned(), user)));
    let roles = [
        ("VMPower", vec!["VM.Audit", "VM.PowerMgmt"]),
        ("VMAgent", vec!["VM.Audit", "VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted", "VM.PowerMgmt"]),
    ];
    world
        .access
        .roles
        .extend(roles.map(|(name, privileges)| (name.to_owned(), privileges.into_iter().collect())));
    let acl = [
        ("/", Subject::User("auditor@pve".into()), "PVEAuditor"),
        ("/", Subject::Token("root@pam!rosep".into()), "PVEAuditor"),
        ("/vms/100", Subject::User("alice@pve".into()), "PVEVMAdmin"),
        ("/vms/101", Subject::User("operator@pve".into()), "VMPower"),
        ("/vms/101", Subject::User("agentop@pve".into()), "VMAgent"),
    ];
    for (path, subject, role) in acl {
        world.access.grant(path, subject, role, true);
    }
    full_token(world, "operator@pve", "power", "15d4d3e1-c85c-4d26-aa54-ae6d83e2d45b");
    full_token(world, "nobody@pve", "none", "6c9b2a81-e270-4d75-ab20-d9ef59953cc3");
    full_token(world, "auditor@pve", "ro", "a76bec3d-1493-44aa-8ae5-fcbeac19ada9");
    full_token(world, "agentop@pve", "agent", "e6fde13c-ddff-4709-9e02-36fbbb42f43e");
    full_token(world, "gone@pve", "tok", "317feee9-d70f-4553-8453-e77d6ec9035d");
    let special = [
        ("root@pam", "privsep", "51d34e08-819f-4e71-8e2a-0e3b5fa3db2f", 0),
        ("root@pam", "rosep", "00000000-0000-4000-8000-000000000001", 0),
        ("auditor@pve", "old", "8369eb2c-be57-4db2-bf57-7a75a19627aa", 1),
    ];
    for (user, name, secret, expire) in special {
        let token = ApiToken { secret: secret.into(), privsep: true, expire, comment: None };
        if let Some(owner) = world.access.users.get_mut(user) {
            owner.tokens.insert(name.into(), token);
        }
    }
    full_token(world, "root@pam", "mcp", "1a353845-a614-40f3-8bff-9f5a4b85bb11")
}
