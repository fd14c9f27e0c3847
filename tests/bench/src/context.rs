//! Where everything is, and what benchmarks share: a private folder, the fleet, the peer.

use crate::error::BenchError;
use crate::fleet::Fleet;
use crate::interrupt;
use crate::peer::Peer;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

/// What benchmarks are given.
pub(crate) struct Context {
    /// The folder with what cargo built.
    target: PathBuf,
    /// The command.
    program: PathBuf,
    /// A Python with dask.
    python: Option<PathBuf>,
    /// Credentials, logs and compiled code of this run; removed at its end.
    home: PathBuf,
    shared: RefCell<Shared>,
}

/// Started when they are first needed, and kept.
#[derive(Default)]
struct Shared {
    fleet: Option<Rc<Fleet>>,
    peer: Option<Rc<RefCell<Peer>>>,
    versions: Vec<(String, String)>,
}

impl Context {
    /// Finds everything beside this program, or where `WASM_TASKS_BIN` and `WASM_TASKS_BENCH_PYTHON` say.
    pub(crate) fn new() -> Result<Context, BenchError> {
        let this = std::env::current_exe().map_err(|source| BenchError::File { path: "this program".into(), source })?;
        let programs = this.parent().map(PathBuf::from).unwrap_or_default();
        let target = programs.parent().map(PathBuf::from).unwrap_or_default();
        let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let home = target.join(format!("bench-home-{}", std::process::id()));
        std::fs::create_dir_all(&home).map_err(|source| BenchError::File { path: home.clone(), source })?;
        interrupt::watch(home.clone()).map_err(BenchError::at("listening for signals"))?;
        let python = named("WASM_TASKS_BENCH_PYTHON")
            .or_else(|| Some(target.join("venv-bench/bin/python")).filter(|python| python.exists()));
        Ok(Context {
            program: named("WASM_TASKS_BIN").unwrap_or_else(|| programs.join("wasm-tasks")),
            python,
            target,
            home,
            shared: RefCell::default(),
        })
    }

    /// The bytes of a guest, such as `calc`.
    pub(crate) fn guest(&self, name: &str) -> Result<Vec<u8>, BenchError> {
        let path = self.guest_path(name);
        std::fs::read(&path).map_err(|_| BenchError::NotBuilt(path))
    }

    /// The file of a guest.
    pub(crate) fn guest_path(&self, name: &str) -> PathBuf {
        self.target.join("guests").join(format!("{name}.wasm"))
    }

    /// The command, `wasm-tasks`.
    pub(crate) fn program(&self) -> Result<&PathBuf, BenchError> {
        if self.program.exists() { Ok(&self.program) } else { Err(BenchError::NotBuilt(self.program.clone())) }
    }

    /// The Python with dask, if there is one.
    pub(crate) fn python(&self) -> Option<&PathBuf> {
        self.python.as_ref()
    }

    /// The private folder.
    pub(crate) fn home(&self) -> &PathBuf {
        &self.home
    }

    /// Compiled code of this process.
    pub(crate) fn modules(&self) -> PathBuf {
        self.home.join("bench-modules")
    }

    /// The fleet of two workers of one slot.
    pub(crate) fn fleet(&self) -> Result<Rc<Fleet>, BenchError> {
        if let Some(fleet) = &self.shared.borrow().fleet {
            return Ok(Rc::clone(fleet));
        }
        let fleet = Rc::new(Fleet::start(self)?);
        self.shared.borrow_mut().fleet = Some(Rc::clone(&fleet));
        Ok(fleet)
    }

    /// dask's cluster of two workers of one thread; none without a Python.
    pub(crate) fn peer(&self) -> Result<Option<Rc<RefCell<Peer>>>, BenchError> {
        let known = self.shared.borrow_mut().peer.take_if(|peer| peer.borrow().is_stopped());
        // One that was stopped ends before another starts.
        drop(known);
        if let Some(peer) = &self.shared.borrow().peer {
            return Ok(Some(Rc::clone(peer)));
        }
        let Some(python) = &self.python else { return Ok(None) };
        let (peer, versions) = Peer::start(python, &self.home)?;
        let peer = Rc::new(RefCell::new(peer));
        let mut shared = self.shared.borrow_mut();
        shared.peer = Some(Rc::clone(&peer));
        shared.versions = versions;
        Ok(Some(peer))
    }

    /// Ends what was started and removes the private folder. Returns the versions of what was found.
    pub(crate) fn close(self) -> Vec<(String, String)> {
        let Shared { fleet, peer, versions } = self.shared.into_inner();
        drop(peer);
        drop(fleet);
        // Nothing depends on it any more; what cannot be removed is below `target`.
        drop(std::fs::remove_dir_all(&self.home));
        versions
    }
}
