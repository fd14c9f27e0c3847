//! The import section of a core WebAssembly module, read by hand: the binary format, 5.5.5.

/// What a module imports: module and name of each import.
pub(super) fn imports(module: &[u8]) -> Vec<(String, String)> {
    let mut reader = Reader(module);
    assert_eq!(reader.take(8), b"\0asm\x01\0\0\0", "a core module");
    while !reader.0.is_empty() {
        let id = reader.take(1)[0];
        let len = reader.number();
        let mut section = Reader(reader.take(len));
        if id == 2 {
            return (0..section.number()).map(|_| section.import()).collect();
        }
    }
    Vec::new()
}

struct Reader<'m>(&'m [u8]);

impl<'m> Reader<'m> {
    fn take(&mut self, len: usize) -> &'m [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    /// Unsigned LEB128.
    fn number(&mut self) -> usize {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)[0];
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return number;
            }
            shift += 7;
        }
    }

    fn name(&mut self) -> String {
        let len = self.number();
        String::from_utf8(self.take(len).to_vec()).expect("names are UTF-8")
    }

    fn import(&mut self) -> (String, String) {
        let names = (self.name(), self.name());
        match self.take(1)[0] {
            0 => drop(self.number()),
            kind => panic!("the import {names:?} is of kind {kind}, and a module of ours imports functions only"),
        }
        names
    }
}
