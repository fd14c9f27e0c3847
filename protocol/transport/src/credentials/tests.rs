//! Credentials: made once, kept private, refused when they are not.

use super::{Credentials, CredentialsError};
use crate::identity::Role;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Barrier};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
}

#[test]
fn they_are_made_once_and_private() {
    let root = tempfile::tempdir().expect("a folder");
    let directory = root.path().join("a/b/credentials");
    let made = Credentials::load_or_create(&directory).expect("makes them");
    assert_eq!(mode(&directory), 0o700);
    let files: BTreeSet<_> = std::fs::read_dir(&directory)
        .expect("lists")
        .map(|entry| {
            let entry = entry.expect("lists");
            assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
            entry.file_name().into_string().expect("text")
        })
        .collect();
    let names = ["ca.key", "ca.pem", "client.key", "client.pem", "scheduler.key", "scheduler.pem", "worker.key", "worker.pem"];
    assert_eq!(files, names.map(str::to_owned).into());
    let again = Credentials::load_or_create(&directory).expect("reads them");
    assert_eq!(made.authority(), again.authority());
    assert!(!format!("{made:?}").contains("secret"), "keys are not printed");
    // Nothing but the folder and its lock is left beside it.
    let beside: BTreeSet<_> =
        std::fs::read_dir(root.path().join("a/b")).expect("lists").map(|e| e.expect("lists").file_name()).collect();
    assert_eq!(beside, [".credentials.lock".into(), "credentials".into()].into());
}

#[test]
fn processes_that_start_together_get_the_same() {
    let root = tempfile::tempdir().expect("a folder");
    let directory = root.path().join("credentials");
    let start = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (start, directory) = (Arc::clone(&start), directory.clone());
            std::thread::spawn(move || {
                start.wait();
                Credentials::load_or_create(&directory).expect("gets them").authority().clone()
            })
        })
        .collect();
    let authorities: BTreeSet<Vec<u8>> = threads.into_iter().map(|thread| thread.join().expect("runs").to_vec()).collect();
    assert_eq!(authorities.len(), 1);
}

#[test]
fn what_a_killed_process_left_is_replaced() {
    let root = tempfile::tempdir().expect("a folder");
    let directory = root.path().join("credentials");
    std::fs::create_dir(root.path().join(".credentials.new")).expect("creates");
    std::fs::write(root.path().join(".credentials.new/ca.key"), "half a k").expect("writes");
    std::fs::create_dir(&directory).expect("an empty folder is as good as none");
    Credentials::load_or_create(&directory).expect("makes them");
    assert_eq!(mode(&directory), 0o700);
}

#[test]
fn only_loopback_listeners_make_them() {
    let root = tempfile::tempdir().expect("a folder");
    let directory = root.path().join("credentials");
    for address in ["0.0.0.0:7077", "192.0.2.1:7077", "[::]:7077", "[2001:db8::1]:7077"] {
        let error = Credentials::for_listener(&directory, address.parse().expect("an address")).expect_err("not made");
        assert!(matches!(error, CredentialsError::Missing { .. }), "{error}");
        assert!(error.to_string().contains("hint: "), "{error}");
        assert!(!directory.exists());
    }
    Credentials::for_listener(&directory, "[::1]:0".parse().expect("an address")).expect("makes them");
    Credentials::for_listener(&directory, "0.0.0.0:7077".parse().expect("an address")).expect("they are there now");
}

#[test]
fn keys_that_others_may_read_are_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let directory = root.path().join("credentials");
    Credentials::load_or_create(&directory).expect("makes them");
    let path = directory.join("worker.key");
    for mode in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("sets");
        let error = Credentials::load_or_create(&directory).expect_err("others may read it").to_string();
        assert!(error.contains(&format!("may be read by others (mode {mode:03o})\nhint: run `chmod 600 ")), "{error}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).expect("sets");
    Credentials::load(&directory).expect("only the owner may read it");
}

#[test]
fn a_machine_needs_only_its_own_role() {
    let root = tempfile::tempdir().expect("a folder");
    let (all, one) = (root.path().join("all"), root.path().join("one"));
    Credentials::load_or_create(&all).expect("makes them");
    std::fs::create_dir(&one).expect("creates");
    for file in ["ca.pem", "worker.pem", "worker.key"] {
        std::fs::copy(all.join(file), one.join(file)).expect("copies");
    }
    let credentials = Credentials::load_or_create(&one).expect("is enough");
    assert!(credentials.key(Role::Worker).is_ok());
    assert!(credentials.key(Role::Scheduler).is_err());
}

#[test]
fn foreign_and_broken_folders_are_left_alone() {
    let root = tempfile::tempdir().expect("a folder");
    let directory = root.path().join("credentials");
    Credentials::load_or_create(&directory).expect("makes them");

    std::fs::copy(directory.join("worker.pem"), directory.join("scheduler.pem")).expect("copies");
    let error = Credentials::load(&directory).expect_err("the wrong role").to_string();
    assert!(error.contains("scheduler.pem: is the certificate of a worker, not of a scheduler"), "{error}");

    std::fs::write(directory.join("scheduler.pem"), "hello").expect("writes");
    let error = Credentials::load(&directory).expect_err("not a certificate").to_string();
    assert!(error.contains("scheduler.pem: is not a certificate in PEM"), "{error}");

    std::fs::remove_file(directory.join("ca.pem")).expect("removes");
    let error = Credentials::load_or_create(&directory).expect_err("not ours to fill");
    assert!(matches!(error, CredentialsError::Incomplete { .. }), "{error}");
}
