//! A server's ErrorResponse during a login that is the gateway's, not the workload's.
//!
//! Its text may name the role, the pg_hba.conf line or the address of the gateway: the workload gets the SQLSTATE, and
//! a text of the server's only where it is about what the workload itself asked for.

use super::failure::Failure;
use super::reply::Fatal;

/// The fields that matter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ServerError {
    code: Option<String>,
    message: String,
}

impl ServerError {
    /// Of a message's body; what is malformed is left out.
    pub(super) fn parse(mut body: &[u8]) -> Self {
        let mut error = ServerError::default();
        while let Some((field, rest)) = body.split_first() {
            let Some(end) = memchr::memchr(0, rest).filter(|_| *field != 0) else { break };
            let text = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
            match field {
                b'C' if text.len() == 5 && text.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                    error.code = Some(text.into_owned());
                }
                b'M' => error.message = text.chars().take(1000).collect(),
                _ => {}
            }
            body = rest.get(end.saturating_add(1)..).unwrap_or_default();
        }
        error
    }

    /// Class 28: the role or its password.
    fn is_authentication(&self) -> bool {
        self.code().starts_with("28")
    }

    pub(super) fn code(&self) -> &str {
        self.code.as_deref().unwrap_or("08006")
    }

    /// What the workload is told, and what the log says.
    pub(super) fn to_workload(&self, resource: &str, role: &str) -> Failure {
        let code = self.code();
        let log = format!("the server refused the login: {code} {:?}", self.message);
        let about_the_request = ["22", "42704", "3D", "53", "57"].iter().any(|class| code.starts_with(class));
        let names_the_role = self.message.to_lowercase().contains(&role.to_lowercase());
        let fatal = if self.is_authentication() {
            Fatal::new(code, format!("resource {resource:?} does not accept the gateway's credentials"))
                .hint("the credentials of the resource in gateway.toml, or the server's pg_hba.conf, have to change; the gateway's log says more")
        } else if about_the_request && !names_the_role {
            Fatal::new(code, self.message.clone())
        } else {
            Fatal::new(code, format!("resource {resource:?} refused the connection")).hint("the gateway's log says why")
        };
        Failure::logged(fatal, log)
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::Tell;
    use super::*;

    fn told(code: &str, message: &str) -> String {
        let body = format!("SFATAL\0C{code}\0M{message}\0Dx\0\0");
        match ServerError::parse(body.as_bytes()).to_workload("orders", "app_rw").tell {
            Tell::Fatal(fatal) => format!("{fatal:?}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_role_stays_the_gateways() {
        for (code, message) in [
            ("28P01", "password authentication failed for user \"app_rw\""),
            ("28000", "no pg_hba.conf entry for host \"10.1.2.3\", user \"app_rw\", database \"x\", no encryption"),
            ("53300", "too many connections for role \"APP_RW\""),
            ("42501", "permission denied for database \"x\""),
        ] {
            let told = told(code, message);
            assert!(
                told.contains(code) && !told.to_lowercase().contains("app_rw") && !told.contains("10.1.2.3"),
                "{told}"
            );
        }
    }

    #[test]
    fn what_the_workload_asked_for_wrongly_it_is_told() {
        assert!(told("3D000", "database \"nope\" does not exist").contains("nope"));
        assert!(told("57P03", "the database system is starting up").contains("starting up"));
    }

    #[test]
    fn no_bytes_panic() {
        for body in [&b""[..], b"\0", b"C", b"C28P01", b"Mx\0C!\0", b"\xff\xff\0\xff"] {
            ServerError::parse(body).to_workload("r", "");
        }
        assert_eq!(ServerError::parse(b"Cno\0\0").code(), "08006");
    }
}
