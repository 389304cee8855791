//! The threat: an answer that repeats the request. A proxy's error page may show the headers that it got,
//! the API token among them; an answer goes to the component and to the model, so the token is taken out.
//!
//! It is looked for as it was sent. Whoever encodes it in another way has it anyway, and needs no page to
//! tell it.

use bytes::Bytes;
use http::HeaderValue;
use memchr::memmem::Finder;

/// What stands in the token's place.
const TAKEN_OUT: &[u8] = b"[API token]";

/// Takes the secret of the API token out of answers.
pub(crate) struct Echo {
    /// `None` where there is no secret to look for.
    secret: Option<Finder<'static>>,
}

impl Echo {
    /// For the requests that carry this header (`PVEAPIToken=root@pam!mcp=...`).
    pub(crate) fn of(authorization: &HeaderValue) -> Self {
        let secret = authorization.as_bytes().rsplit(|byte| *byte == b'=').next();
        let secret = secret.filter(|secret| !secret.is_empty());
        Self { secret: secret.map(|secret| Finder::new(secret).into_owned()) }
    }

    /// Whether the secret is in there.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        self.secret.as_ref().is_some_and(|secret| secret.find(bytes).is_some())
    }

    /// The same without the secret.
    pub(crate) fn taken_out(&self, bytes: Bytes) -> Bytes {
        let Some(secret) = self.secret.as_ref().filter(|secret| secret.find(&bytes).is_some()) else {
            return bytes;
        };
        let mut clean = Vec::with_capacity(bytes.len());
        let mut rest = bytes.as_ref();
        while let Some((before, found)) = secret.find(rest).and_then(|at| rest.split_at_checked(at)) {
            clean.extend_from_slice(before);
            clean.extend_from_slice(TAKEN_OUT);
            rest = found.get(secret.needle().len()..).unwrap_or_default();
        }
        clean.extend_from_slice(rest);
        clean.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "1a2b3c4d-0000-4000-8000-1a2b3c4d5e6f";

    fn taken_out(text: &str) -> String {
        let header = HeaderValue::try_from(format!("PVEAPIToken=root@pam!mcp={SECRET}")).unwrap();
        let clean = Echo::of(&header).taken_out(Bytes::copy_from_slice(text.as_bytes()));
        String::from_utf8(clean.to_vec()).unwrap()
    }

    #[test]
    fn the_secret_goes_wherever_it_stands_and_all_else_stays() {
        for text in ["", "{\"data\":\"root@pam!mcp\"}", "1a2b3c4d-0000-4000-8000-1a2b3c4d5e6e", "ä\u{0}"] {
            assert_eq!(taken_out(text), text);
        }
        assert_eq!(taken_out(SECRET), "[API token]");
        assert_eq!(
            taken_out(&format!("a {SECRET}{SECRET}, mcp={SECRET}\n")),
            "a [API token][API token], mcp=[API token]\n"
        );
        // What is left cannot make up another one.
        let (head, tail) = SECRET.split_at(10);
        assert!(!taken_out(&format!("{head}{SECRET}{tail}")).contains(SECRET));
    }

    #[test]
    fn without_a_secret_nothing_is_taken_out() {
        let echo = Echo::of(&HeaderValue::from_static("PVEAPIToken="));
        assert!(!echo.is_in(b"anything"));
        assert_eq!(echo.taken_out(Bytes::from_static(b"anything")), "anything");
    }
}
