//! Which certificate the Proxmox server must show: a certificate chain that the system or a CA file
//! vouches for, one certificate known by its SHA-256 fingerprint, or, only where the operator said so,
//! any.
//!
//! Whatever is refused is remembered with its fingerprint, so that the message can say how to pin it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

/// How a server proves to be the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The system's certificate authorities.
    System,
    /// The certificate authorities of a PEM file, and no others.
    CaFile(PathBuf),
    /// The certificate authorities of a PEM text, and no others.
    CaPem(String),
    /// This certificate and no other.
    Fingerprint(Fingerprint),
    /// Any certificate. Whoever sits between can read the API token.
    DangerAnything,
}

/// The SHA-256 digest of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads `AB:CD:...` or the same without colons.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let digits: Vec<u8> = text.trim().bytes().filter(|b| *b != b':').collect();
        let mut bytes = [0; 32];
        let pairs = digits.chunks_exact(2);
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let pair = std::str::from_utf8(pair).ok().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Fingerprint(bytes))
    }

    /// The fingerprint of a certificate.
    pub fn of(certificate: &[u8]) -> Fingerprint {
        Fingerprint(Sha256::digest(certificate).into())
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// The last certificate that was refused, and why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<Mutex<Option<(Fingerprint, String)>>>);

impl Refusals {
    /// Fingerprint and reason of the last refusal.
    pub(crate) fn last(&self) -> Option<(Fingerprint, String)> {
        self.0.lock().ok()?.clone()
    }

    fn remember(&self, certificate: &CertificateDer<'_>, why: &Error) {
        if let Ok(mut last) = self.0.lock() {
            *last = Some((Fingerprint::of(certificate), in_words(why)));
        }
    }
}

fn in_words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "it is signed by an authority that this machine does not know".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "it has expired".to_owned()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "it is for another host name".to_owned(),
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => {
            "it is not the pinned one".to_owned()
        }
        other => other.to_string(),
    }
}

/// The client side of TLS for `trust`.
///
/// # Errors
/// Where the certificate authorities cannot be read.
pub(crate) fn client_config(trust: &Trust, refusals: &Refusals) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let judge = match trust {
        Trust::DangerAnything => Judge::Anything,
        Trust::Fingerprint(fingerprint) => Judge::Pinned(*fingerprint),
        Trust::System | Trust::CaFile(_) | Trust::CaPem(_) => {
            let roots = Arc::new(roots(trust)?);
            Judge::Chain(WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build()?)
        }
    };
    let verifier = Verifier { judge, provider: provider.clone(), refusals: refusals.clone() };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn roots(trust: &Trust) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    match trust {
        Trust::CaFile(path) => {
            let shown = path.display();
            for certificate in CertificateDer::pem_file_iter(path)
                .with_context(|| format!("cannot read the CA file {shown}"))?
            {
                store.add(
                    certificate.with_context(|| format!("{shown} is not a PEM file of certificates"))?,
                )?;
            }
            anyhow::ensure!(!store.is_empty(), "the CA file {shown} holds no certificate");
        }
        Trust::CaPem(text) => {
            for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
                store.add(certificate?)?;
            }
        }
        Trust::System | Trust::Fingerprint(_) | Trust::DangerAnything => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            anyhow::ensure!(
                !store.is_empty(),
                "this system has no certificate authorities; set PROXMOX_CA_FILE or PROXMOX_FINGERPRINT"
            );
        }
    }
    Ok(store)
}

#[derive(Debug)]
enum Judge {
    Chain(Arc<WebPkiServerVerifier>),
    Pinned(Fingerprint),
    Anything,
}

#[derive(Debug)]
struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
    refusals: Refusals,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = match &self.judge {
            Judge::Chain(chain) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            Judge::Pinned(pin) if *pin == Fingerprint::of(end_entity) => Ok(ServerCertVerified::assertion()),
            Judge::Pinned(_) => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            Judge::Anything => Ok(ServerCertVerified::assertion()),
        };
        verdict.inspect_err(|why| self.refusals.remember(end_entity, why))
    }

    // The handshake must prove possession of the certificate's key, pinned or not.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{ClientConnection, ServerConfig, ServerConnection};

    #[test]
    fn a_fingerprint_is_read_with_and_without_colons() {
        let bare = "a1".repeat(32);
        let with = vec!["A1"; 32].join(":");
        assert_eq!(Fingerprint::parse(&bare), Fingerprint::parse(&with));
        assert_eq!(Fingerprint::parse(&with).map(|f| f.to_string()), Some(with));
        for bad in ["", "a1", &"g1".repeat(32), &"a1".repeat(33), &"+1".repeat(32)] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }

    type Identity = (CertificateDer<'static>, rcgen::KeyPair);

    fn identity() -> Identity {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["pve1".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().der().clone(), key)
    }

    /// A handshake in memory with a server that shows `shown` and signs with `key`.
    fn handshake(
        trust: &Trust,
        shown: &CertificateDer<'static>,
        key: &rcgen::KeyPair,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> Result<(), Error> {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = CertifiedKey::new(vec![shown.clone()], ring::sign::any_supported_type(&key).unwrap());
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        let client = Arc::new(client_config(trust, &Refusals::default()).unwrap());
        let mut client = ClientConnection::new(client, ServerName::try_from("pve1").unwrap()).unwrap();
        while client.is_handshaking() {
            let mut flight = Vec::new();
            client.write_tls(&mut flight).unwrap();
            server.read_tls(&mut flight.as_slice()).unwrap();
            server.process_new_packets()?;
            flight.clear();
            while server.wants_write() {
                server.write_tls(&mut flight).unwrap();
            }
            let mut flight = flight.as_slice();
            while !flight.is_empty() {
                client.read_tls(&mut flight).unwrap();
                client.process_new_packets()?;
            }
        }
        Ok(())
    }

    /// A certificate is no secret: whoever shows it has to prove that its key is theirs.
    #[test]
    fn a_pinned_certificate_is_worth_nothing_without_its_key() {
        let ((own, own_key), (other, other_key)) = (identity(), identity());
        let pinned = Trust::Fingerprint(Fingerprint::of(&own));
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            assert_eq!(handshake(&pinned, &own, &own_key, version), Ok(()));
            assert!(handshake(&pinned, &own, &other_key, version).is_err(), "{version:?}: another key");
            let refused = handshake(&pinned, &other, &other_key, version);
            assert!(matches!(refused, Err(Error::InvalidCertificate(_))), "{version:?}: {refused:?}");
            assert!(handshake(&Trust::DangerAnything, &own, &other_key, version).is_err(), "{version:?}");
        }
    }
}
