//! The disk cache: what it saves, and what it does not believe.

use bytes::Bytes;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use wasm_tasks_protocol::ComponentDigest;
use wasm_tasks_sandbox::{Engine, EngineError, EngineSettings, Profile};

fn engine(dir: &Path) -> Engine {
    Engine::new(EngineSettings { cache_dir: Some(dir.to_owned()), slots: 1, ..EngineSettings::default() }).unwrap()
}

fn component() -> Bytes {
    wat::parse_str(r#"(component (core module $m (func (export "f") (result i32) (i32.const 7))) (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))"#).unwrap().into()
}

/// Loads and runs the component in a new engine; returns how often it was compiled and loaded from disk.
fn load(dir: &Path) -> (u64, u64) {
    let engine = engine(dir);
    let bytes = component();
    let loaded = engine.load(ComponentDigest::of(&bytes), || Some(bytes), Profile::Plain).unwrap();
    assert_eq!(crate::support::ok(crate::support::call(&loaded, "f", &[])), crate::support::int(7));
    assert_eq!(loaded.compile_time().is_some(), engine.stats().compiled == 1);
    (engine.stats().compiled, engine.stats().loaded)
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let folder = dir.join("compiled-1");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|found| found == ending)).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn compiled_once_and_loaded_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(load(dir.path()), (1, 0));
    assert_eq!(load(dir.path()), (0, 1));
    let folder = dir.path().join("compiled-1");
    assert_eq!((mode(&folder), mode(&folder.join("key"))), (0o700, 0o600));
    for ending in ["cwasm", "mac"] {
        let files = files(dir.path(), ending);
        assert_eq!((files.len(), mode(&files[0])), (1, 0o600), "{ending}");
    }
    assert_eq!(files(dir.path(), "lock").len(), 0, "locks go with those who held them");
    // Bytes are not asked for when the code is there.
    let bytes = component();
    assert!(engine(dir.path()).load(ComponentDigest::of(&bytes), || None, Profile::Plain).is_ok());
    // The other profile has code of its own.
    let metered = engine(dir.path());
    metered.load(ComponentDigest::of(&bytes), || Some(bytes.clone()), Profile::Metered).unwrap();
    assert_eq!((metered.stats().compiled, files(dir.path(), "cwasm").len()), (1, 2));
}

#[test]
fn changed_code_is_compiled_again() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("a bit is flipped", |path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("truncated", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("empty", |path| fs::write(path, b"").unwrap()),
        ("longer", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes.push(0);
            fs::write(path, bytes).unwrap();
        }),
        ("readable by others", |path| fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap()),
        ("without its authenticator", |path| fs::remove_file(path.with_extension("mac")).unwrap()),
    ];
    for (what, change) in changes {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()), (1, 0));
        change(&files(dir.path(), "cwasm")[0]);
        assert_eq!(load(dir.path()), (1, 0), "{what}");
        assert_eq!(load(dir.path()), (0, 1), "{what}");
    }
}

#[test]
fn code_under_another_name_or_key_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    load(dir.path());
    // Code that was authenticated for one component, offered for another.
    let other: Bytes = wat::parse_str("(component (core module))").unwrap().into();
    let hex = |digest: ComponentDigest| digest.to_string().trim_start_matches("sha256:").to_owned();
    let (ours, theirs) = (hex(ComponentDigest::of(&component())), hex(ComponentDigest::of(&other)));
    for ending in ["cwasm", "mac"] {
        let from = &files(dir.path(), ending)[0];
        let to = from.to_str().unwrap().replace(&ours, &theirs);
        fs::copy(from, to).unwrap();
    }
    let engine = engine(dir.path());
    engine.load(ComponentDigest::of(&other), || Some(other.clone()), Profile::Plain).unwrap();
    assert_eq!((engine.stats().compiled, engine.stats().loaded), (1, 0));
    // A key that somebody else chose.
    fs::write(dir.path().join("compiled-1/key"), [7; 32]).unwrap();
    assert_eq!(load(dir.path()), (1, 0));
}

#[test]
fn folders_that_others_can_enter_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    load(dir.path());
    let open = || Engine::new(EngineSettings { cache_dir: Some(dir.path().to_owned()), slots: 1, ..EngineSettings::default() });
    let folder = dir.path().join("compiled-1");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(open().unwrap_err(), EngineError::Cache { reason, .. } if reason.contains("755")));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(folder.join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(open().unwrap_err(), EngineError::Cache { reason, .. } if reason.contains("key")));
}

/// Only a superuser can give files away, so elsewhere this has nothing to do.
#[test]
fn files_of_other_users_do_not_count() {
    let dir = tempfile::tempdir().unwrap();
    load(dir.path());
    let code = &files(dir.path(), "cwasm")[0];
    if std::os::unix::fs::chown(code, Some(12_345), None).is_ok() {
        assert_eq!(load(dir.path()), (1, 0));
        std::os::unix::fs::chown(dir.path().join("compiled-1"), Some(12_345), None).unwrap();
        let opened =
            Engine::new(EngineSettings { cache_dir: Some(dir.path().to_owned()), slots: 1, ..EngineSettings::default() });
        assert!(matches!(opened.unwrap_err(), EngineError::Cache { reason, .. } if reason.contains("12345")));
    }
}

#[test]
fn many_threads_compile_once() {
    let dir = tempfile::tempdir().unwrap();
    let engines = [engine(dir.path()), engine(dir.path())];
    let bytes = component();
    let asked = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (engine, bytes, asked) = (&engines[thread % 2], &bytes, &asked);
            scope.spawn(move || {
                let give = || {
                    asked.fetch_add(1, Ordering::Relaxed);
                    Some(bytes.clone())
                };
                engine.load(ComponentDigest::of(bytes), give, Profile::Plain).unwrap();
            });
        }
    });
    let compiled: u64 = engines.iter().map(|engine| engine.stats().compiled).sum();
    let loaded: u64 = engines.iter().map(|engine| engine.stats().loaded).sum();
    let hits: u64 = engines.iter().map(|engine| engine.stats().hits).sum();
    assert_eq!((compiled, loaded, hits, asked.load(Ordering::Relaxed)), (1, 1, 4, 1));
}

#[test]
fn the_folder_stays_within_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<Bytes> = (0..3)
        .map(|i| wat::parse_str(format!("(component (core module (func (result i32) (i32.const {i}))))")).unwrap().into())
        .collect();
    let load = |i: usize, cache_bytes_max: u64| {
        let settings =
            EngineSettings { cache_dir: Some(dir.path().to_owned()), cache_bytes_max, slots: 1, ..EngineSettings::default() };
        let engine = Engine::new(settings).unwrap();
        engine.load(ComponentDigest::of(&bytes[i]), || Some(bytes[i].clone()), Profile::Plain).unwrap();
        engine.stats().compiled == 1
    };
    assert!(load(0, u64::MAX) && load(1, u64::MAX));
    let size = fs::metadata(&files(dir.path(), "cwasm")[0]).unwrap().len();
    // The first is used again, so the second is the one that goes.
    assert!(!load(0, u64::MAX));
    assert!(load(2, 2 * size + size / 2));
    assert_eq!((files(dir.path(), "cwasm").len(), files(dir.path(), "mac").len()), (2, 2));
    assert!(!load(0, u64::MAX) && !load(2, u64::MAX) && load(1, u64::MAX));
    // What was just compiled stays, however small the limit is.
    fs::remove_file(files(dir.path(), "cwasm").iter().min().unwrap()).unwrap();
    let again = (0..3).find(|i| load(*i, 0)).unwrap();
    assert!(files(dir.path(), "cwasm").len() == 1 && !load(again, 0));
}

#[test]
fn failures_are_remembered() {
    let engine = Engine::new(EngineSettings { slots: 1, ..EngineSettings::default() }).unwrap();
    let bytes = Bytes::from_static(b"no component at all");
    let asked = AtomicU32::new(0);
    let load = || {
        engine.load(
            ComponentDigest::of(&bytes),
            || {
                asked.fetch_add(1, Ordering::Relaxed);
                Some(bytes.clone())
            },
            Profile::Plain,
        )
    };
    let errors = [load().unwrap_err(), load().unwrap_err()];
    assert_eq!(errors[0], errors[1]);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn components_beyond_the_limit_are_forgotten() {
    let engine = Engine::new(EngineSettings { slots: 1, components_max: 2, ..EngineSettings::default() }).unwrap();
    let components: Vec<Bytes> = (0..3)
        .map(|i| wat::parse_str(format!("(component (core module (func (result i32) (i32.const {i}))))")).unwrap().into())
        .collect();
    for bytes in components.iter().chain(&components[..1]) {
        engine.load(ComponentDigest::of(bytes), || Some(bytes.clone()), Profile::Plain).unwrap();
    }
    assert_eq!((engine.stats().compiled, engine.stats().hits), (4, 0));
}
