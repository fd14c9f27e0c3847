//! Judges with real processes: limits, crashes, fairness and withdrawal, without a compiler.

use bytes::Bytes;
use std::time::Duration;
use wasm_tasks_judge::{Asker, Budgets, Cost, Failure, Judge, JudgeSettings, Program};
use wasm_tasks_protocol::{ComponentDigest, ErrorCode};

fn settings() -> JudgeSettings {
    let program = Program { path: env!("CARGO_BIN_EXE_wasm-tasks-inspect-child").into(), words: Vec::new() };
    JudgeSettings { program, budgets: Budgets::default(), places: Some(2), cache_dir: None }
}

fn asker(name: &str) -> Asker {
    Asker::new(name, 1)
}

async fn judge(judge: &Judge, who: &str, component: &Bytes) -> Result<usize, Failure> {
    let interface = judge.interface(&asker(who), ComponentDigest::of(component), component.clone()).await?;
    Ok(interface.exports().len())
}

fn harmless() -> Bytes {
    let text = r#"(component
        (core module $m (func (export "f") (param i32) (result i32) local.get 0))
        (core instance $i (instantiate $m))
        (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))"#;
    wat::parse_str(text).expect("text").into()
}

fn leb(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A component with that many types of two bytes, each of which is hundreds in the validator.
fn bomb(types: usize) -> Bytes {
    let mut body = Vec::new();
    leb(types, &mut body);
    body.extend(b"\x70\x7d".repeat(types));
    let mut out = b"\0asm\x0d\0\x01\0\x07".to_vec();
    leb(body.len(), &mut out);
    out.extend(body);
    out.into()
}

#[tokio::test]
async fn a_component_that_unfolds_is_refused_and_remembered() {
    let budgets = Budgets { memory_bytes: Some(32 << 20), ..Budgets::default() };
    let judge_of = Judge::children(JudgeSettings { budgets, ..settings() });
    let bomb = bomb(950_000);
    assert!(bomb.len() < 2 << 20, "it is small: {} bytes", bomb.len());
    let failure = judge(&judge_of, "a", &bomb).await.expect_err("hundreds of MiB");
    assert!(matches!(failure, Failure::TooCostly { cost: Cost::Memory(_), .. }), "{failure:?}");
    assert_eq!(failure.code(), ErrorCode::ComponentTooCostly);
    assert_eq!(judge(&judge_of, "b", &bomb).await, Err(failure));
    assert_eq!(judge(&judge_of, "b", &harmless()).await, Ok(1), "its neighbour does not notice");
}

/// A process that does nothing is killed when its time is over.
#[cfg(unix)]
#[tokio::test]
async fn time_has_a_limit_of_its_own() {
    let program = Program { path: "/bin/sh".into(), words: vec!["-c".into(), "exec sleep 1000".into()] };
    let budgets = Budgets { cpu: Some(Duration::from_millis(1)), ..Budgets::default() };
    let judge_of = Judge::children(JudgeSettings { program, budgets, ..settings() });
    let failure = judge(&judge_of, "a", &harmless()).await.expect_err("no answer");
    assert!(matches!(failure, Failure::TooCostly { cost: Cost::Wall(_), .. }), "{failure:?}");
}

#[tokio::test]
async fn what_is_no_component_is_refused_with_its_reason() {
    let judge_of = Judge::children(settings());
    for (bytes, code) in [(&b"\0asm\x01\0\0\0"[..], ErrorCode::CoreModule), (&b"text"[..], ErrorCode::NotAComponent)] {
        let failure = judge(&judge_of, "a", &Bytes::from_static(bytes)).await.expect_err("no component");
        assert_eq!(failure.code(), code, "{failure}");
        let here = judge(&Judge::in_process(), "a", &Bytes::from_static(bytes)).await.expect_err("no component");
        assert_eq!(failure, here, "a process says what would be said here");
    }
}

/// A neighbour is served while a flood of bombs runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_keeps_nobody_out() {
    let mut settings = settings();
    settings.budgets = Budgets { memory_bytes: Some(1 << 30), cpu: Some(Duration::from_secs(60)), niceness: 0 };
    let judge_of = Judge::children(settings);
    let flood: Vec<_> = (0..6)
        .map(|at| {
            let (judge_of, bomb) = (judge_of.clone(), bomb(950_000 - at));
            tokio::spawn(async move { judge(&judge_of, "flood", &bomb).await })
        })
        .collect();
    assert_eq!(judge(&judge_of, "neighbour", &harmless()).await, Ok(1));
    assert!(flood.iter().any(|one| !one.is_finished()), "the neighbour did not wait for the flood");
    flood.iter().for_each(tokio::task::JoinHandle::abort);
    // Those that were withdrawn leave their places: both are needed.
    assert_eq!(judge(&judge_of, "neighbour", &Bytes::from(wat::parse_str("(component)").expect("text"))).await, Ok(0));
}

/// A program that answers nothing, too much or garbage costs the component that was in it.
#[cfg(unix)]
#[tokio::test]
async fn a_process_that_lies_or_dies_is_a_refusal() {
    let scripts = [
        ("exit 7", "exit status: 7"),
        ("kill -SEGV $$", "signal 11"),
        ("echo 'memory allocation of 5 bytes failed' >&2; kill -ABRT $$", "MiB of memory"),
        ("cat > /dev/null & printf 'garbage and more garbage'", "MiB of interface"),
        ("printf '\\000\\003\\000\\000\\000\\000\\000\\000\\000abc'", "not an interface"),
    ];
    for (script, expected) in scripts {
        let program = Program { path: "/bin/sh".into(), words: vec!["-c".into(), script.into()] };
        let judge_of = Judge::children(JudgeSettings { program, ..settings() });
        let failure = judge(&judge_of, "a", &harmless()).await.expect_err(script);
        assert!(failure.to_string().contains(expected), "{script}: {failure}");
        assert!(failure.is_lasting(), "{script}");
    }
    let nowhere = Program { path: "/nonexistent/program".into(), words: Vec::new() };
    let failure = judge(&Judge::children(JudgeSettings { program: nowhere, ..settings() }), "a", &harmless()).await;
    assert!(!failure.expect_err("no program").is_lasting());
}

/// What was judged once is not judged again, also by another process, and nothing is started for it.
#[tokio::test]
async fn interfaces_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = || JudgeSettings { cache_dir: Some(folder.path().to_owned()), ..settings() };
    assert_eq!(judge(&Judge::children(kept()), "a", &harmless()).await, Ok(1));
    let digest = ComponentDigest::of(&harmless());
    let name: String = digest.0.iter().map(|byte| format!("{byte:02x}")).collect();
    while !folder.path().join("interfaces-1").join(&name).exists() {
        tokio::task::yield_now().await;
    }
    let nowhere = Program { path: "/nonexistent/program".into(), words: Vec::new() };
    assert_eq!(judge(&Judge::children(JudgeSettings { program: nowhere, ..kept() }), "a", &harmless()).await, Ok(1));
}
