//! The certificates: a cluster CA and one server certificate below it, as a Proxmox VE cluster makes them.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Error;

/// What the server shows of itself.
pub(crate) struct Identity {
    /// Takes TLS connections with the server's certificate.
    pub(crate) acceptor: TlsAcceptor,
    /// The CA certificate in PEM.
    pub(crate) ca_pem: String,
    /// SHA-256 of the server's certificate, `AB:CD:...`.
    pub(crate) fingerprint: String,
}

/// A fresh CA and a server certificate for the loopback addresses and `names`.
pub(crate) fn identity(names: &[String]) -> Result<Identity, Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "Proxmox Virtual Environment");
    ca.distinguished_name.push(DnType::OrganizationName, "PVE Cluster Manager CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);

    let mut subjects: Vec<String> = ["127.0.0.1", "::1", "localhost"].map(String::from).to_vec();
    subjects.extend(names.iter().cloned());
    let leaf_key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(subjects)?;
    let common_name = names.first().map_or("localhost", String::as_str);
    leaf.distinguished_name.push(DnType::CommonName, common_name);
    leaf.distinguished_name.push(DnType::OrganizationName, "Proxmox Virtual Environment");
    let certificate = leaf.signed_by(&leaf_key, &issuer)?;

    let digest = ring::digest::digest(&ring::digest::SHA256, certificate.der());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Identity {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        ca_pem: ca_certificate.pem(),
        fingerprint: colons(digest.as_ref()),
    })
}

/// Bytes as `AB:CD:...`.
pub(crate) fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
}
