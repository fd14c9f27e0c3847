//! The packages of the workspace and all that they depend on, as `cargo metadata` tells.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// A package of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Names of what it depends on itself, in its library and programs.
    pub normal: BTreeSet<String>,
    /// Names of what only its tests, examples and build script need.
    pub other: BTreeSet<String>,
    id: String,
}

/// Packages and what they need.
#[derive(Debug)]
pub struct Packages {
    members: Vec<Package>,
    /// Name of every package, by id.
    names: BTreeMap<String, String>,
    /// What a package needs to be built, by id, without what only its tests need.
    needs: BTreeMap<String, Vec<String>>,
}

impl Packages {
    /// Asks cargo, without the network, for this platform: a build downloads no packages of others.
    ///
    /// # Panics
    /// When cargo does not answer with what it should.
    pub fn read(root: &Path) -> Packages {
        let arguments = ["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", &host()];
        let asked = Command::new(cargo()).args(arguments).current_dir(root).output().expect("cargo can be run");
        assert!(asked.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&asked.stderr));
        let metadata: Value = serde_json::from_slice(&asked.stdout).expect("cargo prints JSON");
        let names = items(&metadata["packages"]).map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let members: BTreeSet<String> = items(&metadata["workspace_members"]).map(text).collect();
        let needs = items(&metadata["resolve"]["nodes"]).map(|node| {
            let needed = items(&node["deps"]).filter(|needed| items(&needed["dep_kinds"]).any(|kind| kind["kind"] != "dev"));
            (text(&node["id"]), needed.map(|needed| text(&needed["pkg"])).collect())
        });
        let members = items(&metadata["packages"]).filter(|package| members.contains(&text(&package["id"]))).map(|package| {
            let named = |normal: bool| {
                let needed = items(&package["dependencies"]).filter(|needed| needed["kind"].is_null() == normal);
                needed.map(|needed| text(&needed["name"])).collect()
            };
            Package { name: text(&package["name"]), normal: named(true), other: named(false), id: text(&package["id"]) }
        });
        Packages { members: members.collect(), needs: needs.collect(), names }
    }

    /// The packages of the workspace.
    pub fn members(&self) -> &[Package] {
        &self.members
    }

    /// A package of the workspace.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn member(&self, name: &str) -> &Package {
        self.members.iter().find(|package| package.name == name).unwrap_or_else(|| panic!("there is no package `{name}`"))
    }

    /// Names of all that a package needs to be built, however indirectly, build scripts included and tests not.
    pub fn closure(&self, package: &Package) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![package.id.as_str()];
        while let Some(id) = open.pop() {
            for needed in self.needs.get(id).into_iter().flatten() {
                if seen.insert(needed.as_str()) {
                    open.push(needed);
                }
            }
        }
        seen.into_iter().map(|id| self.names[id].as_str()).collect()
    }
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The platform that cargo builds for here.
fn host() -> String {
    let asked = Command::new(cargo()).arg("-vV").output().expect("cargo can be run");
    let answer = String::from_utf8(asked.stdout).expect("cargo prints text");
    let line = answer.lines().find_map(|line| line.strip_prefix("host: "));
    line.expect("`cargo -vV` names the host").to_owned()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("cargo metadata has an array here").iter()
}

fn text(value: &Value) -> String {
    value.as_str().expect("cargo metadata has a string here").to_owned()
}
