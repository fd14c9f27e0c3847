//! What of a graph travels how: components that are uploaded by digest, data that moves into the file, and
//! the file without a path in it. Reads files of this machine; knows no connection.

use crate::reach::{NotOpened, Reach};
use bytes::Bytes;
use std::collections::HashMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wasm_tasks_protocol::graph::{Component, DataEntry, Fragment, Graph, GraphBuilder, GraphError, Source, readdress};
use wasm_tasks_protocol::limits::{COMPONENT_BYTES_MAX, GRAPH_BYTES_MAX};
use wasm_tasks_protocol::msgpack::{ReadError, Reader, Writer};
use wasm_tasks_protocol::{ComponentDigest, ContentDigest, ErrorCode, GraphId};

/// Why a file that a graph names cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UploadError {
    /// The graph itself is wrong.
    #[error(transparent)]
    Graph(GraphError),
    /// The file cannot be read.
    #[error("{place}: cannot read `{}`: {error}", path.display())]
    Unreadable {
        /// Which entry of the graph names it.
        place: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: Arc<std::io::Error>,
    },
    /// The graph may not read the file.
    #[error("{place}: `{}` is outside of the folder of the graph file", path.display())]
    Outside {
        /// Which entry of the graph names it.
        place: String,
        /// The file.
        path: PathBuf,
    },
    /// The file is a folder, a pipe or a device.
    #[error("{place}: `{}` is no regular file", path.display())]
    NotRegular {
        /// Which entry of the graph names it.
        place: String,
        /// The file.
        path: PathBuf,
    },
    /// The file is shorter than the range that is wanted of it.
    #[error("{place}: `{}` has {len} bytes, so {offset} and {wanted} more are not in it", path.display())]
    Range {
        /// Which entry of the graph names it.
        place: String,
        /// The file.
        path: PathBuf,
        /// Its bytes.
        len: u64,
        /// First byte wanted.
        offset: u64,
        /// Bytes wanted from there.
        wanted: u64,
    },
    /// The file is not what the graph was made with.
    #[error("{place}: `{}` has the digest {found}, the graph says {promised}", path.display())]
    Digest {
        /// Which entry of the graph names it.
        place: String,
        /// The file.
        path: PathBuf,
        /// The digest in the graph.
        promised: String,
        /// The digest of the file.
        found: String,
    },
    /// More bytes than there may be.
    #[error("{place}: {found} bytes; at most {max} are allowed")]
    TooLarge {
        /// What is too large.
        place: String,
        /// Its bytes.
        found: u64,
        /// The limit.
        max: u64,
    },
}

impl UploadError {
    /// The code under which people see it.
    pub fn code(&self) -> ErrorCode {
        match self {
            UploadError::Graph(error) => error.code,
            UploadError::Outside { .. } => ErrorCode::SourceNotAllowed,
            UploadError::Unreadable { .. } | UploadError::NotRegular { .. } | UploadError::Range { .. } => {
                ErrorCode::SourceUnreadable
            }
            UploadError::Digest { .. } => ErrorCode::DigestMismatch,
            UploadError::TooLarge { .. } => ErrorCode::LimitExceeded,
        }
    }

    /// What to do next, where there is advice.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            UploadError::Graph(_) => None,
            UploadError::Unreadable { place, error, .. } if place == "graph" => {
                (error.kind() == std::io::ErrorKind::IsADirectory).then_some("name the graph file that is in it")
            }
            UploadError::Unreadable { .. } => Some("paths in a graph are relative to the folder of the graph file"),
            UploadError::Outside { .. } => Some("`--allow-path DIR` lets the graph read files below DIR too"),
            UploadError::NotRegular { .. } => {
                Some("copy what it gives into a file and name that; a graph may also come through standard input, as `-`")
            }
            UploadError::Range { .. } => Some("the file became shorter since the graph was made; make the graph again"),
            UploadError::Digest { .. } => {
                Some("the file changed since the graph was made; make the graph again, or bring the old file back")
            }
            UploadError::TooLarge { .. } => Some("docs/limits.md lists the limits and their reasons"),
        }
    }
}

/// A graph that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The graph as it was given, or the tables of a fragment.
    pub graph: Graph,
    /// The file to send: no path is in it.
    pub file: Bytes,
    /// Components that the scheduler must have, each once; with their bytes where this machine has them.
    pub components: Vec<(ComponentDigest, Option<Bytes>)>,
}

impl Upload {
    /// Reads everything that a graph of the calling program names. Relative paths start in `folder`.
    ///
    /// The program may name any file that it may read. For a graph file of somebody else, use [`Upload::from_file`] or
    /// [`Upload::read_within`].
    ///
    /// # Errors
    /// [`UploadError`] for the first file that cannot be used.
    pub fn read(graph: Graph, folder: &Path) -> Result<Upload, UploadError> {
        Upload::read_within(graph, folder, &Reach::Everything)
    }

    /// Reads everything that a graph names, within `reach`. Relative paths start in `folder`.
    ///
    /// # Errors
    /// [`UploadError`] for the first file that cannot be used.
    pub fn read_within(graph: Graph, folder: &Path, reach: &Reach) -> Result<Upload, UploadError> {
        let mut components: Vec<(ComponentDigest, Option<Bytes>)> = Vec::new();
        for (position, component) in graph.components().iter().enumerate() {
            if components.iter().any(|(digest, bytes)| *digest == component.digest && bytes.is_some()) {
                continue;
            }
            match component_bytes(&graph, position, component, folder, reach)? {
                Some(bytes) => {
                    components.retain(|(digest, _)| *digest != component.digest);
                    components.push((component.digest, Some(bytes)));
                }
                // Fetched by the scheduler, if it may.
                None if component.source.is_some() => {}
                None if components.iter().any(|(digest, _)| *digest == component.digest) => {}
                None => components.push((component.digest, None)),
            }
        }
        let data = graph.data().iter().enumerate().map(|(position, entry)| data_bytes(position, entry, folder, reach));
        let data = data.collect::<Result<Vec<_>, _>>()?;
        let file = without_paths(&graph, &data);
        if file.len() > GRAPH_BYTES_MAX {
            let place = "the graph with the data that it names".to_owned();
            return Err(UploadError::TooLarge { place, found: file.len() as u64, max: GRAPH_BYTES_MAX as u64 });
        }
        Ok(Upload { graph, file, components })
    }

    /// Reads the file of a fragment and what it names, to add it to a graph. It may have been written for another graph whose tables
    /// go as far. It reads files as in [`Upload::from_file`].
    ///
    /// # Errors
    /// [`UploadError`].
    pub fn fragment_from_file(path: &Path, graph: GraphId, allowed: &[PathBuf]) -> Result<Upload, UploadError> {
        let file = readdress(&read_graph_file(path)?, graph).map_err(UploadError::Graph)?;
        let fragment = Fragment::read(file).map_err(UploadError::Graph)?;
        Upload::read_within(fragment.into_tables(), folder_of(path), &Reach::of_file(folder_of(path), allowed))
    }

    /// The same graph with a deadline, in place of any that it has.
    ///
    /// # Errors
    /// [`UploadError::Graph`] when the deadline is not possible.
    pub fn with_deadline(self, deadline: Duration) -> Result<Upload, UploadError> {
        let sent = Graph::read(self.file).map_err(UploadError::Graph)?;
        let mut options = sent.options().clone();
        options.deadline_ms = Some(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX));
        let file = Bytes::from(sent.with_options(&options));
        Graph::read(file.clone()).map_err(UploadError::Graph)?;
        Ok(Upload { file, ..self })
    }

    /// Reads a graph file and the regular files that it names below its folder, or below folders that are `allowed`.
    ///
    /// # Errors
    /// [`UploadError`]; [`UploadError::Outside`] for a file elsewhere.
    pub fn from_file(path: &Path, allowed: &[PathBuf]) -> Result<Upload, UploadError> {
        let file = read_graph_file(path)?;
        let graph = Graph::read(file).map_err(UploadError::Graph)?;
        Upload::read_within(graph, folder_of(path), &Reach::of_file(folder_of(path), allowed))
    }
}

/// The folder that the paths of a graph file are relative to.
pub fn folder_of(graph_file: &Path) -> &Path {
    match graph_file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

/// The bytes of a graph file, unless they are too many; those of standard input for `-`.
///
/// # Errors
/// [`UploadError::Unreadable`] and [`UploadError::TooLarge`].
pub fn read_graph_file(path: &Path) -> Result<Bytes, UploadError> {
    let place = || "graph".to_owned();
    let max = GRAPH_BYTES_MAX as u64;
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(max + 1).read_to_end(&mut bytes);
        read.map_err(|error| UploadError::Unreadable { place: place(), path: path.to_owned(), error: Arc::new(error) })?;
        let found = bytes.len() as u64;
        return if found > max { Err(UploadError::TooLarge { place: place(), found, max }) } else { Ok(bytes.into()) };
    }
    read_range(place, &Reach::Everything, path, Range { offset: 0, len: None, max })
}

/// The bytes of a component of the graph, where this machine has them: in the graph file or at its path.
///
/// # Errors
/// [`UploadError`] when the file cannot be read or is another one.
pub fn component_bytes(
    graph: &Graph,
    position: usize,
    component: &Component,
    folder: &Path,
    reach: &Reach,
) -> Result<Option<Bytes>, UploadError> {
    let place = || match &component.name {
        Some(name) => format!("components[{position}] `{name}`"),
        None => format!("components[{position}]"),
    };
    let (path, bytes) = match (&component.bytes, &component.source) {
        (Some(range), _) => (PathBuf::from("graph"), graph.file().slice(range.clone())),
        (None, Some(Source::Path(path))) => {
            let path = folder.join(path);
            let bytes = read_range(place, reach, &path, Range { offset: 0, len: None, max: COMPONENT_BYTES_MAX as u64 })?;
            (path, bytes)
        }
        (None, Some(Source::Url(_) | Source::Oci(_)) | None) => return Ok(None),
    };
    let found = ComponentDigest::of(&bytes);
    if found != component.digest {
        let (promised, found) = (component.digest.to_string(), found.to_string());
        return Err(UploadError::Digest { place: place(), path, promised, found });
    }
    Ok(Some(bytes))
}

fn data_bytes(position: usize, entry: &DataEntry, folder: &Path, reach: &Reach) -> Result<Option<Bytes>, UploadError> {
    let place = || format!("data[{position}]");
    let Some(Source::Path(path)) = &entry.source else { return Ok(None) };
    let path = folder.join(path);
    let bytes = read_range(place, reach, &path, Range { offset: entry.offset, len: entry.len, max: GRAPH_BYTES_MAX as u64 })?;
    if let Some(promised) = entry.digest {
        let found = ContentDigest::of(&bytes);
        if found != promised {
            let (promised, found) = (promised.to_string(), found.to_string());
            return Err(UploadError::Digest { place: place(), path, promised, found });
        }
    }
    Ok(Some(bytes))
}

/// Bytes that are wanted of a file.
#[derive(Clone, Copy)]
struct Range {
    offset: u64,
    /// To the end of the file when there is none.
    len: Option<u64>,
    /// More are refused.
    max: u64,
}

fn read_range(place: impl Fn() -> String, reach: &Reach, path: &Path, range: Range) -> Result<Bytes, UploadError> {
    let Range { offset, len, max } = range;
    let unreadable =
        |error: std::io::Error| UploadError::Unreadable { place: place(), path: path.to_owned(), error: Arc::new(error) };
    let mut file = reach.open(path).map_err(|error| match error {
        NotOpened::System(error) => unreadable(error),
        NotOpened::NotRegular => UploadError::NotRegular { place: place(), path: path.to_owned() },
        NotOpened::Outside => UploadError::Outside { place: place(), path: path.to_owned() },
    })?;
    let metadata = file.metadata().map_err(unreadable)?;
    let size = metadata.len();
    let wanted = len.unwrap_or(size.saturating_sub(offset));
    if offset.checked_add(wanted).is_none_or(|end| end > size) {
        return Err(UploadError::Range { place: place(), path: path.to_owned(), len: size, offset, wanted });
    }
    if wanted > max {
        return Err(UploadError::TooLarge { place: place(), found: wanted, max });
    }
    if offset > 0 {
        file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
    }
    // A file may grow: never read more than was asked for or is allowed.
    let mut bytes = Vec::with_capacity(len.unwrap_or(metadata.len()).min(max) as usize);
    file.take(len.unwrap_or(max + 1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > max {
        return Err(UploadError::TooLarge { place: place(), found: bytes.len() as u64, max });
    }
    if let Some(wanted) = len
        && (bytes.len() as u64) < wanted
    {
        return Err(UploadError::Range {
            place: place(),
            path: path.to_owned(),
            len: offset + bytes.len() as u64,
            offset,
            wanted,
        });
    }
    Ok(bytes.into())
}

/// The graph file with `components` and `data` in which no paths are; everything else keeps its bytes, so that
/// a graph of a million tasks costs a copy and not a rewrite.
fn without_paths(graph: &Graph, data: &[Option<Bytes>]) -> Bytes {
    let has_path = |source: &Option<Source>| matches!(source, Some(Source::Path(_)));
    let in_components = graph.components().iter().any(|entry| has_path(&entry.source));
    if !in_components && data.iter().all(Option::is_none) {
        return graph.file().clone();
    }
    let mut tables = GraphBuilder::new();
    for entry in graph.components() {
        let bytes = entry.bytes.clone().map(|range| &graph.file()[range]);
        let source = entry.source.as_ref().filter(|source| !matches!(source, Source::Path(_)));
        tables.component(entry.digest, entry.name.as_deref(), bytes, source);
    }
    for (entry, read) in graph.data().iter().zip(data) {
        let bytes = read.as_deref().or(entry.bytes.clone().map(|range| &graph.file()[range]));
        match (bytes, &entry.source) {
            (Some(bytes), _) => tables.data_bytes(bytes, entry.digest, entry.encoding, entry.ty.as_ref()),
            (None, Some(source)) => tables.data_source(source, entry.offset, entry.len, entry.encoding, entry.ty.as_ref()),
            (None, None) => tables.data_bytes(&[], entry.digest, entry.encoding, entry.ty.as_ref()),
        };
    }
    let tables = tables.to_bytes();
    let tables: HashMap<&str, &[u8]> = fields(&tables).expect("the builder writes a map").into_iter().collect();
    let given = fields(graph.file()).expect("a checked graph is a map");
    let mut out = Writer::new();
    out.reserve(graph.file().len() + data.iter().flatten().map(Bytes::len).sum::<usize>());
    out.map(given.len());
    for (name, value) in given {
        out.str(name);
        match name {
            "components" | "data" => out.raw(tables.get(name).copied().unwrap_or(value)),
            _ => out.raw(value),
        }
    }
    out.into_bytes().into()
}

/// The fields of a map, encoded.
fn fields(map: &[u8]) -> Result<Vec<(&str, &[u8])>, ReadError> {
    let mut reader = Reader::new(map);
    (0..reader.map()?).map(|_| Ok((reader.str()?, reader.skip()?))).collect()
}
