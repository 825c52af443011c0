//! A driver that other people made, unmodified, on the model: Debian's intel-opencl-icd with the model's Intel adapter.
//!
//! `clinfo` lists the platforms and devices of the installed OpenCL drivers. It is told of this driver only, and the dynamic
//! linker gives the driver this repository's libdxcore when it asks for WSL's. (The driver looks for GPUs of Linux first, so on
//! a machine that has an Intel one it never asks.)

use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::ptr::null_mut;

/// Where the package says what its driver is.
const DRIVER: &str = "/etc/OpenCL/vendors/intel.icd";

/// The folder of the libraries under test.
fn libraries() -> PathBuf {
    std::env::current_exe().expect("own path").parent().expect("folder").to_owned()
}

/// A driver package of the model's host: the one library of it that the driver loads.
fn store(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("dxcore-store-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("folder");
    let library = "libwsl_compute_helper.so";
    std::os::unix::fs::symlink(libraries().join(library), folder.join(library)).expect("link");
    folder
}

/// Runs an OpenCL program on the model, with a name for its folder.
fn run(name: &str, model: &str, program: &mut Command) -> Output {
    assert!(
        Path::new(DRIVER).exists(),
        "{DRIVER} is not there: this test needs the Debian packages clinfo and intel-opencl-icd (scripts/packages test)"
    );
    let store = store(name);
    let output = program
        .env("OCL_ICD_VENDORS", DRIVER)
        .env("LD_AUDIT", libraries().join("libdxcore.so"))
        .env("VKDXG_NODE", "model")
        .env("VKDXG_MODEL", format!("{model},store={}", store.display()))
        .env("VKDXG_DEBUG", "ioctl")
        .output()
        .expect("the program starts; clinfo is in the Debian package clinfo (scripts/packages test)");
    std::fs::remove_dir_all(store).expect("folder goes");
    output
}

/// The value that clinfo prints for a name.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let row = text.lines().find_map(|l| l.split_once(name).filter(|(_, rest)| rest.starts_with(' ')));
    row.unwrap_or_else(|| panic!("no {name} in:\n{text}")).1.trim()
}

/// Runs the enumeration and looks at what the program was told and at what passed through the node.
fn enumerate(name: &str, model: &str) {
    let output = run(name, model, Command::new("clinfo").arg("--raw"));
    let (out, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{log}", output.status);

    assert_eq!(value(&out, "CL_PLATFORM_VENDOR"), "Intel(R) Corporation");
    assert_eq!(value(&out, "#DEVICES"), "1", "{log}");
    assert!(value(&out, "CL_DEVICE_NAME").ends_with("[0x9a49]"), "{out}");
    assert_eq!(value(&out, "CL_DEVICE_VENDOR_ID"), "0x8086");
    // What only the adapter's private data say: units, clock, and the bus address.
    assert_eq!(value(&out, "CL_DEVICE_MAX_COMPUTE_UNITS"), "96");
    assert_eq!(value(&out, "CL_DEVICE_MAX_CLOCK_FREQUENCY"), "1350");
    assert_eq!(value(&out, "CL_DEVICE_PCI_BUS_INFO_KHR"), "PCI-E, 0000:00:02.0");
    assert_eq!(value(&out, "CL_DEVICE_AVAILABLE"), "CL_TRUE");

    // The driver's way to a device, in this order.
    let steps = [
        "EnumAdapters3 ",
        "OpenAdapterFromLuid ",
        "type=QUERYREGISTRY ",
        "type=ADAPTERTYPE ",
        "private_data_size=4096}",
        "CreateDevice ",
        "CreatePagingQueue ",
        "ReserveGpuVirtualAddress ",
        "CreateContextVirtual ",
        "CreateSynchronizationObject2 ",
        "CreateAllocation ",
        "MapGpuVirtualAddress ",
        "DestroyDevice ",
        "CloseAdapter ",
    ];
    let mut lines = log.lines().filter(|l| l.starts_with("dxg: "));
    for step in steps {
        let line = lines.find(|l| l.contains(step)).unwrap_or_else(|| panic!("no {step}in its place:\n{log}"));
        // Where a range is asked for that the process has taken already, refusal is an answer.
        let done = [" = 0", " = pending"].iter().any(|r| line.contains(r));
        assert!(done || step.starts_with("Reserve"), "{line}");
    }
    // Whatever was made is given back, and nothing was submitted.
    let count = |word: &str| log.matches(&format!("dxg: {word} ")).count();
    assert_eq!(count("CreateAllocation"), count("DestroyAllocation2"));
    assert_eq!(count("CreateContextVirtual"), count("DestroyContext"));
    assert_eq!(count("CreateDevice"), count("DestroyDevice"));
    assert_eq!(count("SubmitCommand"), 0);
}

#[test]
fn the_driver_finds_the_device() {
    enumerate("plain", "intel");
}

#[test]
fn the_driver_finds_the_device_where_paging_takes_its_time() {
    enumerate("pending", "intel,pending=300");
}

#[test]
fn the_driver_finds_the_device_without_the_guests_oddities() {
    enumerate("noquirks", "intel,noquirks,async");
}

/// Work is refused: the device is lost, and the program hears of it instead of waiting.
#[test]
fn work_fails_and_does_not_hang() {
    let client = std::env::current_exe().expect("own path");
    let mut client = Command::new(client);
    let output = run("work", "intel", client.args(["--exact", "client", "--ignored", "--nocapture"]));
    let (out, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{}\n{out}\n{log}", output.status);
    assert!(log.contains("dxg: SubmitCommand ") && log.contains("dxg: GetDeviceState "), "{log}");
}

/// Fills a buffer with a kernel of the driver's; run by the test above, in a process of its own.
#[test]
#[ignore = "a program for another test"]
fn client() {
    type P = *mut c_void;
    const GPU: u64 = 4;
    const READ_WRITE: u64 = 1;
    const OUT_OF_RESOURCES: i32 = -5;
    // SAFETY: the library's initialisers are those of every OpenCL program.
    let cl = unsafe { libloading::Library::new("libOpenCL.so.1") }.expect("OpenCL's loader");
    macro_rules! cl {
        ($name:literal: $ty:ty; $($arg:expr),*) => {{
            // SAFETY: the function has this type, and the arguments are what it wants: objects from the calls before, and
            // addresses of variables of this function.
            unsafe { (*cl.get::<$ty>($name).expect("function"))($($arg),*) }
        }};
    }
    let (mut platform, mut device, mut error, mut count) = (null_mut::<c_void>(), null_mut::<c_void>(), 1, 0u32);
    let e = cl!(b"clGetPlatformIDs": extern "C" fn(u32, *mut P, *mut u32) -> i32; 1, &mut platform, &mut count);
    assert_eq!((e, count), (0, 1));
    type Devices = extern "C" fn(P, u64, u32, *mut P, *mut u32) -> i32;
    let e = cl!(b"clGetDeviceIDs": Devices; platform, GPU, 1, &mut device, &mut count);
    assert_eq!((e, count), (0, 1));
    type Context = extern "C" fn(P, u32, *const P, P, P, *mut i32) -> P;
    let context = cl!(b"clCreateContext": Context; null_mut(), 1, &device, null_mut(), null_mut(), &mut error);
    assert_eq!(error, 0);
    type Queue = extern "C" fn(P, P, P, *mut i32) -> P;
    let queue = cl!(b"clCreateCommandQueueWithProperties": Queue; context, device, null_mut(), &mut error);
    assert_eq!(error, 0);
    type Buffer = extern "C" fn(P, u64, usize, P, *mut i32) -> P;
    let buffer = cl!(b"clCreateBuffer": Buffer; context, READ_WRITE, 4096, null_mut(), &mut error);
    assert_eq!(error, 0);
    type Fill = extern "C" fn(P, P, *const u32, usize, usize, usize, u32, P, P) -> i32;
    let e = cl!(b"clEnqueueFillBuffer": Fill; queue, buffer, &7, 4, 0, 4096, 0, null_mut(), null_mut());
    assert_eq!(e, 0);
    assert_eq!(cl!(b"clFinish": extern "C" fn(P) -> i32; queue), OUT_OF_RESOURCES);
}
