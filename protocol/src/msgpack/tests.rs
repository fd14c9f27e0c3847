use super::{EXT_DATA, EXT_TASK, InvalidValue, Kind, Packed, ReadError, Reader, References, Writer, validate};
use crate::Value;
use proptest::prelude::*;

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::new();
    write(&mut out);
    out.into_bytes()
}

#[test]
fn integers_take_their_shortest_form() {
    for (value, bytes) in [
        (0, vec![0x00]),
        (127, vec![0x7f]),
        (128, vec![0xcc, 0x80]),
        (255, vec![0xcc, 0xff]),
        (256, vec![0xcd, 1, 0]),
        (65_535, vec![0xcd, 0xff, 0xff]),
        (65_536, vec![0xce, 0, 1, 0, 0]),
        (-1, vec![0xff]),
        (-32, vec![0xe0]),
        (-33, vec![0xd0, 0xdf]),
        (-128, vec![0xd0, 0x80]),
        (-129, vec![0xd1, 0xff, 0x7f]),
        (-32_769, vec![0xd2, 0xff, 0xff, 0x7f, 0xff]),
    ] {
        assert_eq!(written(|out| out.int(value)), bytes, "{value}");
        assert_eq!(Reader::new(&bytes).int(), Ok(i128::from(value)));
    }
}

#[test]
fn a_reader_says_what_it_found() {
    let mut reader = Reader::new(&[0xc3]);
    assert_eq!(reader.str(), Err(ReadError::Kind { expected: Kind::Str, found: Kind::Bool }));
    assert_eq!(reader.bool(), Ok(true));
    assert_eq!(reader.bool(), Err(ReadError::End));
}

#[test]
fn lengths_are_not_believed() {
    assert_eq!(Reader::new(&[0xdd, 0xff, 0xff, 0xff, 0xff]).array(), Err(ReadError::End));
    assert_eq!(Reader::new(&[0xdf, 0x7f, 0xff, 0xff, 0xff]).map(), Err(ReadError::End));
    assert_eq!(Reader::new(&[0xc6, 0xff, 0xff, 0xff, 0xff, 1]).bin(), Err(ReadError::End));
}

#[test]
fn nans_are_canonical() {
    let payload = f64::from_bits(0xfff8_0000_0000_0001).to_le_bytes();
    let bytes = written(|out| out.packed(Packed::F64, &payload));
    assert_eq!(Reader::new(&bytes).ext(), Ok((24, &super::NAN_F64.to_le_bytes()[..])));
}

#[derive(Default)]
struct Seen(Vec<(i8, u64, usize)>);

impl References for Seen {
    fn task(&mut self, position: u64, steps: usize) -> Result<(), InvalidValue> {
        self.0.push((EXT_TASK, position, steps));
        Ok(())
    }
    fn data(&mut self, position: u64) -> Result<(), InvalidValue> {
        self.0.push((EXT_DATA, position, 0));
        Ok(())
    }
}

#[test]
fn references_are_listed() {
    let path = written(|out| {
        out.array(3);
        out.uint(300);
        out.str("field");
        out.uint(2);
    });
    let bytes = written(|out| {
        out.map(1);
        out.str("k");
        out.array(3);
        out.ext(EXT_TASK, &[7]);
        out.ext(EXT_TASK, &path);
        out.ext(EXT_DATA, &[1]);
    });
    let mut seen = Seen::default();
    validate(&mut Reader::new(&bytes), &mut seen).expect("valid");
    assert_eq!(seen.0, [(EXT_TASK, 7, 0), (EXT_TASK, 300, 2), (EXT_DATA, 1, 0)]);
    assert!(matches!(validate(&mut Reader::new(&bytes), &mut ()), Err(InvalidValue::Reference(_))));
}

#[test]
fn bad_values_are_refused() {
    let deep = [vec![0x91; 70], vec![0xc0]].concat();
    for (bytes, expected) in [
        (&[0x82, 0xa1, b'a', 1, 0xa1, b'a', 2][..], "the key `a` stands twice in a map"),
        (&[0x81, 1, 1], "a map's key is an integer; keys are strings"),
        (&[0xc1], "byte 0xc1 is not MessagePack"),
        (&[0xa1, 0xff], "a string is not UTF-8"),
        (&[0xd4, 99, 0], "extension code 99 is not a value"),
        (&[0xd4, 24, 0], "a packed list is not a multiple of its elements' width"),
        (&[0xd6, 0xff, 0, 0, 0, 0], "extension code -1 is not a value"),
        (&deep, "the value nests more than 64 deep"),
        (&[0xd4, 1, 0xc0], "a reference to a task is its position, or an array of its position and the steps of a path"),
    ] {
        let error = validate(&mut Reader::new(bytes), &mut Seen::default()).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::int),
        any::<u64>().prop_map(Value::Uint),
        (-1e9f64..1e9).prop_map(Value::F64),
        ".{0,40}".prop_map(Value::Str),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bin),
        proptest::collection::vec(any::<u16>(), 0..20)
            .prop_map(|list| Value::Ext(17, list.iter().flat_map(|n| n.to_le_bytes()).collect())),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
            proptest::collection::btree_map("[a-z]{1,3}", inner, 0..8).prop_map(|map| Value::Map(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn values_come_back(value in values()) {
        let bytes = value.to_msgpack();
        prop_assert_eq!(&Value::from_msgpack(&bytes).expect("valid"), &value);
        prop_assert_eq!(Reader::new(&bytes).skip().expect("whole"), &bytes[..]);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = validate(&mut Reader::new(&bytes), &mut Seen::default());
        let _ = Reader::new(&bytes).skip();
        let _ = Value::from_msgpack(&bytes);
    }
}
