//! Who the other side of a link is, as its certificate says, and who may talk to whom.

use std::fmt;
use wasm_tasks_protocol::TenantId;

/// What a process is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Places tasks.
    Scheduler,
    /// Runs tasks.
    Worker,
    /// Hands over graphs.
    Client,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 3] = [Role::Scheduler, Role::Worker, Role::Client];

    /// The role as certificates and file names spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Scheduler => "scheduler",
            Role::Worker => "worker",
            Role::Client => "client",
        }
    }

    /// Whether a listener of this role lets peers of another role in: workers and clients dial schedulers,
    /// workers dial each other, and nobody dials a client.
    pub const fn admits(self, peer: Role) -> bool {
        match self {
            Role::Scheduler => matches!(peer, Role::Worker | Role::Client),
            Role::Worker => matches!(peer, Role::Worker | Role::Scheduler),
            Role::Client => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who a peer is. Over QUIC this comes from its certificate, so it cannot be made up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// What it is.
    pub role: Role,
    /// Whose it is.
    pub tenant: TenantId,
    /// The certificate's common name, for people.
    pub name: String,
}

impl Identity {
    /// An identity of the default tenant that is called like its role.
    pub fn of(role: Role) -> Identity {
        Identity { role, tenant: TenantId::DEFAULT, name: role.as_str().to_owned() }
    }

    /// The URI of the certificate's subject alternative name.
    pub(crate) fn to_uri(&self) -> String {
        format!("wasm-tasks:role={};tenant={}", self.role, self.tenant.0)
    }

    /// The inverse of [`Identity::to_uri`]; nothing when the URI is not exactly of that form.
    pub(crate) fn from_uri(uri: &str, name: String) -> Option<Identity> {
        let (role, tenant) = uri.strip_prefix("wasm-tasks:role=")?.split_once(";tenant=")?;
        let identity = Identity {
            role: Role::ALL.into_iter().find(|known| known.as_str() == role)?,
            tenant: TenantId(tenant.parse().ok()?),
            name,
        };
        // Numbers have spellings such as `+0` and `00`; one identity has one URI.
        (identity.to_uri() == uri).then_some(identity)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == self.role.as_str() { write!(f, "{}", self.role) } else { write!(f, "{} `{}`", self.role, self.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Role};
    use wasm_tasks_protocol::TenantId;

    #[test]
    fn an_identity_has_one_uri() {
        for role in Role::ALL {
            let identity = Identity { role, tenant: TenantId(7), name: "ada".into() };
            assert_eq!(Identity::from_uri(&identity.to_uri(), "ada".into()), Some(identity));
        }
        for uri in [
            "",
            "wasm-tasks:role=worker",
            "wasm-tasks:role=worker;tenant=",
            "wasm-tasks:role=worker;tenant=+0",
            "wasm-tasks:role=worker;tenant=00",
            "wasm-tasks:role=root;tenant=0",
            "wasm-tasks:role=worker;tenant=0;role=scheduler",
            "spiffe://worker",
            "wasm-tasks:role=worker;tenant=4294967296",
        ] {
            assert_eq!(Identity::from_uri(uri, String::new()), None, "{uri}");
        }
    }

    #[test]
    fn nobody_dials_a_client_and_schedulers_admit_no_scheduler() {
        assert!(Role::ALL.into_iter().all(|peer| !Role::Client.admits(peer)));
        assert!(!Role::Scheduler.admits(Role::Scheduler));
        assert!(!Role::Worker.admits(Role::Client));
    }
}
