//! Makes the credentials of a new cluster, all of them or none, and once when several processes try.

use super::{AUTHORITY_FILE, CredentialsError, is_empty};
use crate::identity::{Identity, Role};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Makes the credentials in a folder that is empty or not there, unless another process has done it meanwhile.
///
/// They are written beside it and moved there as a whole, so nobody ever sees a part of them.
pub(super) fn create(directory: &Path) -> Result<(), CredentialsError> {
    let directory = &std::path::absolute(directory).map_err(io("find", directory))?;
    let no_name =
        || CredentialsError::Malformed { path: directory.clone(), problem: "cannot be a folder of credentials".to_owned() };
    let parent = directory.parent().ok_or_else(no_name)?;
    let name = directory.file_name().ok_or_else(no_name)?.to_string_lossy().into_owned();
    std::fs::create_dir_all(parent).map_err(io("create", parent))?;

    let lock_path = parent.join(format!(".{name}.lock"));
    let lock = private_file(&lock_path, false)?;
    lock.lock().map_err(io("lock", &lock_path))?;
    if !is_empty(directory)? {
        return Ok(());
    }

    let partial = parent.join(format!(".{name}.new"));
    if partial.exists() {
        // Left behind by a process that was killed: whoever holds the lock is the only one here.
        std::fs::remove_dir_all(&partial).map_err(io("remove", &partial))?;
    }
    private_directory(&partial)?;
    for (file, pem) in generate()? {
        let path = partial.join(file);
        let mut file = private_file(&path, true)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(io("write", &path))?;
    }
    // An empty folder is replaced by this.
    std::fs::rename(&partial, directory).map_err(io("move the credentials to", directory))
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CredentialsError {
    let path = path.to_owned();
    move |source| CredentialsError::Io { action, path, source }
}

fn private_file(path: &Path, is_new: bool) -> Result<File, CredentialsError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).create_new(is_new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(io("create", path))
}

fn private_directory(path: &Path) -> Result<(), CredentialsError> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(io("create", path))
}

/// File names and their contents.
fn generate() -> Result<Vec<(PathBuf, String)>, CredentialsError> {
    let failed = |error: rcgen::Error| CredentialsError::Generate(error.to_string());
    let mut params = CertificateParams::default();
    params.distinguished_name = called("wasm-tasks cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().map_err(failed)?;
    let authority = params.self_signed(&key).map_err(failed)?;
    let mut files = vec![(PathBuf::from(AUTHORITY_FILE), authority.pem()), (PathBuf::from("ca.key"), key.serialize_pem())];
    let issuer = Issuer::new(params, key);
    for role in Role::ALL {
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = leaf(&Identity::of(role))?.signed_by(&key, &issuer).map_err(failed)?;
        files.push((PathBuf::from(format!("{role}.pem")), certificate.pem()));
        files.push((PathBuf::from(format!("{role}.key")), key.serialize_pem()));
    }
    Ok(files)
}

/// The certificate of a process. Role and tenant are a URI; the name is there because TLS asks listeners for one.
fn leaf(identity: &Identity) -> Result<CertificateParams, CredentialsError> {
    let text = |text: String| Ia5String::try_from(text).map_err(|error| CredentialsError::Generate(error.to_string()));
    let mut params = CertificateParams::default();
    params.distinguished_name = called(&identity.name);
    params.subject_alt_names =
        vec![SanType::URI(text(identity.to_uri())?), SanType::DnsName(text(crate::quic::server_name(identity.role))?)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Nobody dials a client, so its certificate is good for dialling only.
    params.extended_key_usages = match identity.role {
        Role::Scheduler | Role::Worker => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        Role::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
    };
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}
