//! What a judging process may have and do: set by itself, before it reads a byte of the component.
//!
//! On Linux: address space, data and CPU time as its budget says, no files written, no core dumps, no new privileges, and a
//! filter of system calls under which nothing can be opened, dialled, run or traced. Elsewhere the limits of memory and time.

use crate::budget::Budget;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io;

/// Gives up for this process, and for the calling thread and those that it starts, whatever judging does not need. There is no
/// way back.
///
/// # Errors
/// Those of the system: then the process must not judge.
pub fn enter(budget: &Budget) -> io::Result<()> {
    let (address_space, data) = used_bytes();
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Fsize, 0, 0)?;
    let seconds = (budget.cpu.as_millis() as u64).div_ceil(1_000).max(1);
    limit(Resource::Cpu, seconds, seconds + 1)?;
    let address_space = address_space.saturating_add(budget.memory_bytes);
    limit(Resource::As, address_space, address_space)?;
    let data = data.saturating_add(budget.memory_bytes);
    limit(Resource::Data, data, data)?;
    // Failing to step back is no reason not to judge.
    let _ = rustix::process::nice(i32::from(budget.niceness));
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
        filter::enter()?;
    }
    Ok(())
}

fn limit(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })?)
}

/// Bytes of address space and of data that the process has already; 0 where the system does not tell.
fn used_bytes() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let bytes = |at: usize| pages.get(at).copied().unwrap_or(0).saturating_mul(4_096);
    (bytes(0), bytes(5))
}

#[cfg(target_os = "linux")]
mod filter {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
    use std::collections::BTreeMap;
    use std::io;

    /// System calls that fail with `EPERM`: whatever reaches beyond this process and its pipes. A list of what is denied and
    /// not of what is allowed, because the compiler's threads and the allocator use a varying set.
    #[rustfmt::skip]
    const DENIED: &[i64] = &[
        libc::SYS_openat, libc::SYS_openat2, libc::SYS_open_by_handle_at, libc::SYS_name_to_handle_at, libc::SYS_memfd_create,
        libc::SYS_socket, libc::SYS_socketpair, libc::SYS_connect, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept,
        libc::SYS_accept4, libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_sendmmsg,
        libc::SYS_execve, libc::SYS_execveat, libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev,
        libc::SYS_pidfd_open, libc::SYS_pidfd_getfd, libc::SYS_pidfd_send_signal, libc::SYS_kill, libc::SYS_tkill,
        libc::SYS_unshare, libc::SYS_setns, libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot,
        libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_userfaultfd, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register, libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_request_key, libc::SYS_shmget, libc::SYS_msgget,
        libc::SYS_semget, libc::SYS_mq_open, libc::SYS_unlinkat, libc::SYS_renameat2, libc::SYS_linkat, libc::SYS_symlinkat,
        libc::SYS_mkdirat, libc::SYS_mknodat, libc::SYS_fchmodat, libc::SYS_fchownat, libc::SYS_truncate, libc::SYS_prlimit64,
        libc::SYS_setuid, libc::SYS_setgid, libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_kexec_load,
    ];

    /// Those that only older architectures have.
    #[cfg(target_arch = "x86_64")]
    #[rustfmt::skip]
    const DENIED_OLD: &[i64] = &[
        libc::SYS_open, libc::SYS_creat, libc::SYS_unlink, libc::SYS_rename, libc::SYS_renameat, libc::SYS_link, libc::SYS_symlink,
        libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_mknod, libc::SYS_chmod, libc::SYS_chown, libc::SYS_fork, libc::SYS_vfork,
        libc::SYS_setrlimit,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    const DENIED_OLD: &[i64] = &[];

    /// Sets `no_new_privs` and the filter for this thread and all that it starts.
    pub(super) fn enter() -> io::Result<()> {
        let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
        let rules: BTreeMap<i64, Vec<_>> = DENIED.iter().chain(DENIED_OLD).map(|call| (*call, Vec::new())).collect();
        let denied = SeccompAction::Errno(libc::EPERM as u32);
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, arch).map_err(io::Error::other)?;
        let program: BpfProgram = filter.try_into().map_err(io::Error::other)?;
        seccompiler::apply_filter(&program).map_err(io::Error::other)
    }
}
