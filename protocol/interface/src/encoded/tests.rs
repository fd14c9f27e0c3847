use crate::Interface;
use crate::component::component_of as component;
use wasm_tasks_protocol::msgpack::Writer;

fn example() -> Interface {
    let bytes = component(
        r#"
        (type $row' (record (field "id" u32) (field "label" string)))
        (export $row "row" (type $row'))
        (type $kind' (variant (case "a") (case "b" (list $row))))
        (export $kind "kind" (type $kind'))
        (type $hue' (enum "red" "green"))
        (export $hue "hue" (type $hue'))
        (type $set' (flags "x" "y"))
        (export $set "set" (type $set'))
        (func $f (param "k" $kind) (param "t" (tuple $hue $set)) (result (result (list $row) (error (option string))))
            (canon lift (core func $i "many") (memory $memory) (realloc (func $realloc))))
        (export "f" (func $f))
        (func $g (param "a" s64) (param "b" s64) (result s64) (canon lift (core func $i "ii-i")))
        (export "g" (func $g))"#,
    );
    Interface::read(&bytes).expect("a component")
}

#[test]
fn what_is_written_is_read_back() {
    let interface = example();
    let read = Interface::decode(&interface.encode().expect("small")).expect("what was written");
    assert_eq!(read.exports(), interface.exports());
    assert_eq!((read.unsupported(), read.imports()), (interface.unsupported(), interface.imports()));
    assert_eq!(read.to_wit(), interface.to_wit(), "names of types survive too");
}

/// Cut, flipped or drawn anew, bytes are refused or read; nothing panics and nothing grows beyond the bytes.
#[test]
fn damage_is_refused_or_read() {
    let bytes = example().encode().expect("small");
    for len in 0..bytes.len() {
        assert!(Interface::decode(&bytes[..len]).is_err(), "cut at {len}");
    }
    for at in 0..bytes.len() {
        for byte in 0..=255 {
            let mut damaged = bytes.clone();
            damaged[at] = byte;
            if let Ok(interface) = Interface::decode(&damaged) {
                assert!(interface.exports().len() <= bytes.len());
                let _ = (interface.to_wit(), interface.to_json());
            }
        }
    }
}

/// A tree of pairs of pairs is small on the wire, and refused before it is written out.
#[test]
fn types_that_unfold_are_refused() {
    let unfolded = |levels: u64| {
        let mut out = Writer::new();
        out.array(6);
        out.uint(1);
        out.array(levels as usize);
        (0..levels).for_each(|level| {
            out.array(3);
            out.uint(1);
            let inner = if level == 0 { 0 } else { 12 + level };
            out.uint(inner);
            out.uint(inner);
        });
        (0..4).for_each(|_| out.array(0));
        out.into_bytes()
    };
    assert!(Interface::decode(&unfolded(10)).is_ok());
    assert!(Interface::decode(&unfolded(12)).expect_err("8191 parts").to_string().contains("larger or deeper"));
    assert!(Interface::decode(&unfolded(60)).is_err());
}

/// Types that refer to themselves or to later ones do not exist.
#[test]
fn types_refer_to_earlier_ones_only() {
    for reference in [13, 14, u64::MAX] {
        let mut out = Writer::new();
        out.array(6);
        out.uint(1);
        out.array(1);
        out.array(2);
        out.uint(0);
        out.uint(reference);
        (0..4).for_each(|_| out.array(0));
        assert!(Interface::decode(&out.into_bytes()).expect_err("not defined").to_string().contains("not defined"));
    }
}
