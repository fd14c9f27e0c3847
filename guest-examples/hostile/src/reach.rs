//! Attempts to reach outside: files and the network. Each returns what the system answered.

use std::fmt::Display;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

pub(crate) fn read_file(path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(text)
}

pub(crate) fn write_file(path: &str) -> Result<(), String> {
    std::fs::write(path, b"written by a task").map_err(text)
}

pub(crate) fn list_folder(path: &str) -> Result<Vec<String>, String> {
    std::fs::read_dir(path)
        .map_err(text)?
        .map(|entry| Ok(entry.map_err(text)?.file_name().to_string_lossy().into_owned()))
        .collect()
}

pub(crate) fn connect(address: &str) -> Result<(), String> {
    TcpStream::connect(address).map(drop).map_err(text)
}

pub(crate) fn listen(address: &str) -> Result<(), String> {
    TcpListener::bind(address).map(drop).map_err(text)
}

pub(crate) fn send_datagram(address: &str) -> Result<(), String> {
    let socket = UdpSocket::bind("0.0.0.0:0").map_err(text)?;
    socket.send_to(b"sent by a task", address).map(drop).map_err(text)
}

pub(crate) fn look_up(host: &str) -> Result<Vec<String>, String> {
    Ok((host, 80).to_socket_addrs().map_err(text)?.map(|address| address.to_string()).collect())
}

fn text(error: impl Display) -> String {
    error.to_string()
}
