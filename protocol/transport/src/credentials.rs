//! The credentials of a cluster: a folder with the certificate of its authority, and a certificate and key for each role.
//!
//! Every file here is PEM. `ca.pem` is all that is trusted; `ca.key` signs and need not be on every machine;
//! `scheduler.pem` and `scheduler.key`, and so on, are what processes show. Certificates do not expire: a
//! cluster changes them by making a new folder.

mod create;
#[cfg(all(test, unix))]
mod tests;

use crate::error::ListenError;
use crate::identity::Role;
use crate::quic::identity_of;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a file of credentials. Ours have about 700.
const FILE_BYTES_MAX: u64 = 64 << 10;
const AUTHORITY_FILE: &str = "ca.pem";

/// Why credentials could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// There are none.
    #[error(
        "there are no credentials in {directory}\nhint: start a scheduler on a loopback address once, which makes them, or copy the folder from where that was done"
    )]
    Missing {
        /// Where they should be.
        directory: PathBuf,
    },
    /// The folder has something in it, but no authority.
    #[error("{directory} is not empty and has no `{AUTHORITY_FILE}`\nhint: name another folder, or copy the missing file")]
    Incomplete {
        /// The folder.
        directory: PathBuf,
    },
    /// Others may read a key.
    #[error(
        "the key {path} may be read by others (mode {mode:03o})\nhint: run `chmod 600 {path}`, and make new credentials if others had access"
    )]
    Readable {
        /// The key.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file is not what it should be.
    #[error("{path}: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The system does not do what is asked of it.
    #[error(
        "cannot {action} `{}`: {source}\nhint: name a folder of your own with `--credentials DIR` or `WASM_TASKS_HOME`",
        path.display()
    )]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Generate(String),
}

/// The credentials of a cluster, read. Cloning is cheap.
#[derive(Clone)]
pub struct Credentials(Arc<Loaded>);

struct Loaded {
    directory: PathBuf,
    authority: CertificateDer<'static>,
    keys: Vec<RoleKey>,
}

/// What a process of a role shows.
pub(crate) struct RoleKey {
    role: Role,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) secret: PrivateKeyDer<'static>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles: Vec<Role> = self.0.keys.iter().map(|key| key.role).collect();
        f.debug_struct("Credentials").field("directory", &self.0.directory).field("roles", &roles).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads the credentials in a folder. It need not have a key for every role.
    ///
    /// # Errors
    /// [`CredentialsError`]: they are missing, malformed, or others may read a key.
    pub fn load(directory: &Path) -> Result<Credentials, CredentialsError> {
        let path = directory.join(AUTHORITY_FILE);
        let Some(authority) = read(&path, false)? else {
            return Err(match is_empty(directory)? {
                true => CredentialsError::Missing { directory: directory.to_owned() },
                false => CredentialsError::Incomplete { directory: directory.to_owned() },
            });
        };
        let authority = certificate(&path, &authority)?;
        let mut keys = Vec::new();
        for role in Role::ALL {
            let paths = (directory.join(format!("{role}.pem")), directory.join(format!("{role}.key")));
            let (Some(shown), Some(secret)) = (read(&paths.0, false)?, read(&paths.1, true)?) else { continue };
            let certificate = certificate(&paths.0, &shown)?;
            match identity_of(&certificate) {
                Ok(identity) if identity.role == role => {}
                Ok(identity) => {
                    let problem = format!("is the certificate of a {}, not of a {role}", identity.role);
                    return Err(CredentialsError::Malformed { path: paths.0, problem });
                }
                Err(error) => return Err(CredentialsError::Malformed { path: paths.0, problem: error.to_string() }),
            }
            let secret = PrivateKeyDer::from_pem_slice(&secret).map_err(|error| CredentialsError::Malformed {
                path: paths.1,
                problem: format!("is not a private key: {error}"),
            })?;
            keys.push(RoleKey { role, certificate, secret });
        }
        Ok(Credentials(Arc::new(Loaded { directory: directory.to_owned(), authority, keys })))
    }

    /// Reads the credentials in a folder, or makes them when it is empty or not there: the folder with mode 0700, files
    /// with 0600. Processes that do this at the same time get the same ones.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn load_or_create(directory: &Path) -> Result<Credentials, CredentialsError> {
        match Credentials::load(directory) {
            Err(CredentialsError::Missing { .. }) => {
                create::create(directory)?;
                Credentials::load(directory)
            }
            result => result,
        }
    }

    /// The credentials for listening on an address: they are made on first use only when nobody else than this machine can
    /// dial it.
    ///
    /// # Errors
    /// [`CredentialsError`]; [`CredentialsError::Missing`] for addresses that are not loopback.
    pub fn for_listener(directory: &Path, address: SocketAddr) -> Result<Credentials, CredentialsError> {
        if address.ip().is_loopback() { Credentials::load_or_create(directory) } else { Credentials::load(directory) }
    }

    /// The folder that they were read from.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    pub(crate) fn authority(&self) -> &CertificateDer<'static> {
        &self.0.authority
    }

    pub(crate) fn key(&self, role: Role) -> Result<&RoleKey, ListenError> {
        self.0
            .keys
            .iter()
            .find(|key| key.role == role)
            .ok_or_else(|| ListenError::NoCertificate { role, directory: self.0.directory.display().to_string() })
    }
}

fn certificate(path: &Path, pem: &[u8]) -> Result<CertificateDer<'static>, CredentialsError> {
    CertificateDer::from_pem_slice(pem).map_err(|error| CredentialsError::Malformed {
        path: path.to_owned(),
        problem: format!("is not a certificate in PEM: {error}"),
    })
}

/// Reads a small file, of which others must not be able to read a secret one. Nothing when it is not there.
fn read(path: &Path, is_secret: bool) -> Result<Option<Vec<u8>>, CredentialsError> {
    let io = |action| move |source| CredentialsError::Io { action, path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("open")(error)),
    };
    if is_secret {
        check_mode(path, &file.metadata().map_err(io("look at"))?)?;
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io("read"))?;
    Ok(Some(bytes))
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &std::fs::Metadata) -> Result<(), CredentialsError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(CredentialsError::Readable { path: path.to_owned(), mode }) }
}

/// Other systems keep a user's folder from others by themselves.
#[cfg(not(unix))]
fn check_mode(_: &Path, _: &std::fs::Metadata) -> Result<(), CredentialsError> {
    Ok(())
}

/// Whether a folder has nothing in it or is not there.
fn is_empty(directory: &Path) -> Result<bool, CredentialsError> {
    match std::fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(source) => Err(CredentialsError::Io { action: "list", path: directory.to_owned(), source }),
    }
}
