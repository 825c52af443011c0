//! Compute pipelines: specialisation, caches, feedback, subgroup sizes, errors.

use crate::support::*;
use ash::vk;
use vk::DescriptorType as D;

tests! {
    specialisation, specialisation_wide, specialisation_small, several_at_once, entry_points, cache_round_trip,
    cache_garbage, cache_merge, creation_feedback, fail_on_compile_required, executable_properties, required_subgroup_size,
    full_subgroups, many_threads, unsupported_instruction, from_wgsl, largest_workgroup, derivatives,
    module_identifiers,
}

const NO_FLAGS: vk::PipelineCreateFlags = vk::PipelineCreateFlags::empty();

unsafe fn spec_run(t: &T, code: &[u32], spec: &[(u32, &[u8])]) -> R<Vec<u32>> {
    let o = t.zeros(64)?;
    t.compute_of(&KernelInfo { code, spec, ..KernelInfo::default() }, &[B::S(o)], &[], [1, 1, 1])?;
    Ok(o.get())
}

unsafe fn specialisation() -> R {
    let t = T::new(&[])?;
    // Workgroup size constants without a default of their own are 1.
    let got = spec_run(&t, spv!("spec"), &[])?;
    equal(&got[..10], &[1, -5i32 as u32, 7, 1.5f32.to_bits(), 9, 1, 7, 1011, 6, 3])?;
    let got = spec_run(
        &t,
        spv!("spec"),
        &[
            (0, &0u32.to_ne_bytes()),
            (1, &100i32.to_ne_bytes()),
            (2, &4u32.to_ne_bytes()),
            (3, &(-0.25f32).to_ne_bytes()),
            (4, &10u32.to_ne_bytes()),
            (20, &8u32.to_ne_bytes()),
            (21, &3u32.to_ne_bytes()),
            // An id the module does not have is allowed.
            (999, &1u32.to_ne_bytes()),
        ],
    )?;
    equal(&got[..10], &[0, 100, 4, (-0.25f32).to_bits(), 108, 0, 10, 8031, 55, 10])
}

unsafe fn specialisation_wide() -> R {
    let t = T::new(&[])?;
    need!(t.features.core.shader_int64 != 0 && t.features.core.shader_float64 != 0, "64-bit types");
    let split = |v: u64| [v as u32, (v >> 32) as u32];
    let want = |d: f64, l: i64| [split(d.to_bits()), split(l as u64)].concat();
    equal(&spec_run(&t, spv!("spec_wide"), &[])?[10..14], &want(2.5, -9))?;
    let got = spec_run(&t, spv!("spec_wide"), &[(5, &1e300f64.to_ne_bytes()), (6, &(1i64 << 50).to_ne_bytes())])?;
    equal(&got[10..14], &want(1e300, 1 << 50))
}

unsafe fn specialisation_small() -> R {
    let t = T::new(&[])?;
    need!(t.features.core.shader_int16 != 0, "16-bit integers");
    same!(spec_run(&t, spv!("spec_small"), &[])?[14], 3);
    same!(spec_run(&t, spv!("spec_small"), &[(7, &(-300i16).to_ne_bytes())])?[14], -300i32 as u32);
    Ok(())
}

/// A shader module and the layout of `affine`.
unsafe fn affine(t: &T) -> R<(vk::ShaderModule, vk::PipelineLayout, vk::DescriptorSetLayout)> {
    let module = t.own(t.d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(spv!("affine")), None)?);
    let sl = t.set_layout(&[D::STORAGE_BUFFER])?;
    Ok((module, t.layout(&[sl], 16)?, sl))
}

fn stage<'a>(module: vk::ShaderModule) -> vk::PipelineShaderStageCreateInfo<'a> {
    vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE).module(module).name(c"main")
}

/// Runs an `affine` pipeline on 64 ones; the results must be 5.
unsafe fn works(t: &T, p: vk::Pipeline, layout: vk::PipelineLayout, set_layout: vk::DescriptorSetLayout) -> R {
    let b = t.buf_of(&[1u32; 64])?;
    let set = t.set(set_layout, &[B::S(b)])?;
    t.now(|c| {
        t.bind(c, &K { p, layout, set_layout }, set, &words(&[0, 64, 3, 2]));
        t.d.cmd_dispatch(c, 64, 1, 1);
    })?;
    // Depending on the workgroup size some run more than once over: never, as each index has one invocation.
    equal(&b.get::<u32>(), &[5; 64])
}

unsafe fn several_at_once() -> R {
    let t = T::new(&[])?;
    let (module, layout, sl) = affine(&t)?;
    let entry = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];
    let sizes: Vec<[u8; 4]> = [1u32, 7, 32, 64, 100, 128].iter().map(|n| n.to_ne_bytes()).collect();
    let specs: Vec<_> = sizes.iter().map(|s| vk::SpecializationInfo::default().map_entries(&entry).data(s)).collect();
    let infos: Vec<_> = specs
        .iter()
        .map(|s| vk::ComputePipelineCreateInfo::default().stage(stage(module).specialization_info(s)).layout(layout))
        .collect();
    let made = t.d.create_compute_pipelines(vk::PipelineCache::null(), &infos, None).map_err(|(_, e)| e)?;
    for p in made {
        works(&t, t.own(p), layout, sl)?;
    }
    Ok(())
}

unsafe fn entry_points() -> R {
    let t = T::new(&[])?;
    let o = t.zeros(16)?;
    for (entry, want) in [(c"nothing", 0), (c"store", 7)] {
        t.compute_of(
            &KernelInfo { code: spv!("empty"), entry: Some(entry), ..KernelInfo::default() },
            &[B::S(o)],
            &[],
            [1, 1, 1],
        )?;
        same!(o.get::<u32>()[0], want, "after {entry:?}");
    }
    Ok(())
}

unsafe fn cache_of(t: &T, data: &[u8]) -> R<vk::PipelineCache> {
    Ok(t.own(t.d.create_pipeline_cache(&vk::PipelineCacheCreateInfo::default().initial_data(data), None)?))
}

unsafe fn cached(t: &T, cache: vk::PipelineCache, size: u32) -> R {
    let (_, layout, sl) = affine(t)?;
    let info = KernelInfo { code: spv!("affine"), cache, spec: &[(0, &size.to_ne_bytes())], ..KernelInfo::default() };
    works(t, t.own(t.pipeline(&info, layout)?), layout, sl)
}

unsafe fn cache_round_trip() -> R {
    let t = T::new(&[])?;
    let cache = cache_of(&t, &[])?;
    for size in [8, 16, 64] {
        cached(&t, cache, size)?;
    }
    let data = t.d.get_pipeline_cache_data(cache)?;
    let word = |k: usize| u32::from_ne_bytes([data[k], data[k + 1], data[k + 2], data[k + 3]]);
    check!(data.len() >= 32 && word(0) >= 32 && word(0) as usize <= data.len(), "header");
    same!((word(4), word(8), word(12)), (1, t.props.vendor_id, t.props.device_id));
    check!(data[16..32] == t.props.pipeline_cache_uuid, "the header's UUID is not the device's");
    // Too little room: INCOMPLETE, and only whole entries.
    let mut n = data.len() - 1;
    let mut part = vec![0u8; data.len()];
    let fp = t.d.fp_v1_0();
    let r = (fp.get_pipeline_cache_data)(t.d.handle(), cache, &mut n, part.as_mut_ptr().cast());
    same!(r, vk::Result::INCOMPLETE);
    check!(n < data.len());
    if n > 0 {
        cached(&t, cache_of(&t, &part[..n])?, 16)?;
    }
    let mut n = 31;
    let r = (fp.get_pipeline_cache_data)(t.d.handle(), cache, &mut n, part.as_mut_ptr().cast());
    same!((r, n), (vk::Result::INCOMPLETE, 0));
    // In another device it serves.
    let u = T::new(&[])?;
    let again = cache_of(&u, &data)?;
    for size in [8, 16, 64, 128] {
        cached(&u, again, size)?;
    }
    Ok(())
}

unsafe fn cache_garbage() -> R {
    let t = T::open(&cts::Setup { unvalidated: true, ..cts::Setup::default() })?;
    let cache = cache_of(&t, &[])?;
    cached(&t, cache, 64)?;
    let good = t.d.get_pipeline_cache_data(cache)?;
    let mut random = Random(77);
    let mut cases: Vec<Vec<u8>> =
        vec![vec![0], vec![0; 16], vec![0xff; 32], vec![7; 5000], good[..32].to_vec(), good[..31].to_vec()];
    // A foreign vendor, device, UUID, version, length.
    for at in [0, 4, 8, 12, 16, 31] {
        let mut c = good.clone();
        c[at] ^= 0x5a;
        cases.push(c);
    }
    // Only where the driver promises to look at the content: others may trust what they wrote.
    if t.is_ours() {
        for _ in 0..60 {
            let mut c = good.clone();
            for _ in 0..1 + random.below(8) {
                let at = random.below(c.len() as u32) as usize;
                c[at] ^= 1 << random.below(8);
            }
            cases.push(c);
        }
        for _ in 0..30 {
            cases.push(good[..random.below(good.len() as u32) as usize].to_vec());
        }
    }
    for c in cases {
        cached(&t, cache_of(&t, &c)?, 64)?;
    }
    Ok(())
}

unsafe fn cache_merge() -> R {
    let t = T::new(&[])?;
    let (a, b, c) = (cache_of(&t, &[])?, cache_of(&t, &[])?, cache_of(&t, &[])?);
    cached(&t, a, 32)?;
    cached(&t, b, 64)?;
    t.d.merge_pipeline_caches(c, &[a, b])?;
    let (na, nc) = (t.d.get_pipeline_cache_data(a)?.len(), t.d.get_pipeline_cache_data(c)?.len());
    check!(nc >= na, "the merged cache is smaller");
    t.d.merge_pipeline_caches(c, &[a])?;
    same!(t.d.get_pipeline_cache_data(c)?.len(), nc, "after merging the same again");
    cached(&t, c, 32)?;
    cached(&t, c, 64)
}

unsafe fn creation_feedback() -> R {
    let t = T::new(&[])?;
    need!(t.props.api_version >= vk::API_VERSION_1_3, "Vulkan 1.3");
    let (module, layout, _) = affine(&t)?;
    let cache = cache_of(&t, &[])?;
    let mut hits = Vec::new();
    for _ in 0..2 {
        let mut whole = vk::PipelineCreationFeedback { duration: 1 << 60, ..Default::default() };
        let mut stages = [whole];
        let mut feedback = vk::PipelineCreationFeedbackCreateInfo::default()
            .pipeline_creation_feedback(&mut whole)
            .pipeline_stage_creation_feedbacks(&mut stages);
        let info =
            [vk::ComputePipelineCreateInfo::default().stage(stage(module)).layout(layout).push_next(&mut feedback)];
        let p = t.d.create_compute_pipelines(cache, &info, None).map_err(|(_, e)| e)?;
        t.own(p[0]);
        use vk::PipelineCreationFeedbackFlags as F;
        check!(whole.flags.contains(F::VALID), "the feedback was not written");
        check!(whole.duration < 100_000_000_000, "{} ns", whole.duration);
        hits.push(whole.flags.contains(F::APPLICATION_PIPELINE_CACHE_HIT));
    }
    check!(!hits[0], "a hit in an empty cache");
    println!("second time: hit = {}", hits[1]);
    if t.is_ours() {
        check!(hits[1], "no hit at the second time");
    }
    Ok(())
}

unsafe fn fail_on_compile_required() -> R {
    let t = T::new(&[])?;
    need!(t.features.v13.pipeline_creation_cache_control != 0, "pipelineCreationCacheControl");
    let (module, layout, sl) = affine(&t)?;
    let make = |cache, flags: &[vk::PipelineCreateFlags]| {
        // The size differs from other tests', so that no cache of the driver's own has it.
        let info: Vec<_> = flags
            .iter()
            .map(|f| vk::ComputePipelineCreateInfo::default().flags(*f).stage(stage(module)).layout(layout))
            .collect();
        t.d.create_compute_pipelines(cache, &info, None)
    };
    let fail = vk::PipelineCreateFlags::FAIL_ON_PIPELINE_COMPILE_REQUIRED;
    match make(vk::PipelineCache::null(), &[fail]) {
        Ok(p) => {
            // Allowed if it could be had without compiling.
            println!("no compilation needed");
            works(&t, t.own(p[0]), layout, sl)?;
        }
        Err((p, e)) => same!((e, p[0]), (vk::Result::PIPELINE_COMPILE_REQUIRED, vk::Pipeline::null())),
    }
    // Early return: what comes after the failure is not made.
    let early = fail | vk::PipelineCreateFlags::EARLY_RETURN_ON_FAILURE;
    match make(vk::PipelineCache::null(), &[NO_FLAGS, early, NO_FLAGS]) {
        Ok(p) => p.into_iter().for_each(|p| {
            t.own(p);
        }),
        Err((p, e)) => {
            same!(e, vk::Result::PIPELINE_COMPILE_REQUIRED);
            check!(p[0] != vk::Pipeline::null() && p[1] == vk::Pipeline::null() && p[2] == vk::Pipeline::null());
            works(&t, t.own(p[0]), layout, sl)?;
        }
    }
    // An externally synchronised cache makes and has it.
    let info = vk::PipelineCacheCreateInfo::default().flags(vk::PipelineCacheCreateFlags::EXTERNALLY_SYNCHRONIZED);
    let cache = t.own(t.d.create_pipeline_cache(&info, None)?);
    let p = make(cache, &[NO_FLAGS]).map_err(|(_, e)| e)?;
    works(&t, t.own(p[0]), layout, sl)?;
    match make(cache, &[fail]) {
        Ok(p) => works(&t, t.own(p[0]), layout, sl),
        Err((_, e)) => {
            check!(!t.is_ours(), "not found in the cache it was put into: {e:?}");
            same!(e, vk::Result::PIPELINE_COMPILE_REQUIRED);
            Ok(())
        }
    }
}

unsafe fn executable_properties() -> R {
    use ash::khr::pipeline_executable_properties as pep;
    let t = T::new(&[pep::NAME])?;
    need!(t.features.executables.pipeline_executable_info != 0, "pipelineExecutableInfo");
    let ext = pep::Device::new(t.instance(), &t.d);
    let flags =
        vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
    let k = t.kernel_of(&KernelInfo {
        code: spv!("reduce"),
        types: &[D::STORAGE_BUFFER; 2],
        push: 4,
        flags,
        ..KernelInfo::default()
    })?;
    let list = ext.get_pipeline_executable_properties(&vk::PipelineInfoKHR::default().pipeline(k.p))?;
    check!(!list.is_empty());
    for (i, e) in (0u32..).zip(&list) {
        check!(e.stages.contains(vk::ShaderStageFlags::COMPUTE) && e.subgroup_size > 0);
        check!(!e.name_as_c_str()?.is_empty() && !e.description_as_c_str()?.is_empty());
        let info = vk::PipelineExecutableInfoKHR::default().pipeline(k.p).executable_index(i);
        for s in ext.get_pipeline_executable_statistics(&info)? {
            println!("{:?} = {}", s.name_as_c_str(), s.value.u64);
            check!(!s.name_as_c_str()?.is_empty());
        }
        // Called by hand: the wrapper does not allocate the texts.
        let f = pep::Device::fp(&ext).get_pipeline_executable_internal_representations_khr;
        let mut n = 0;
        f(t.d.handle(), &info, &mut n, std::ptr::null_mut()).result()?;
        let mut reps = vec![vk::PipelineExecutableInternalRepresentationKHR::default(); n as usize];
        f(t.d.handle(), &info, &mut n, reps.as_mut_ptr()).result()?;
        for r in &mut reps {
            let mut text = vec![0u8; r.data_size];
            println!("{:?}: {} bytes", r.name_as_c_str(), text.len());
            check!(!text.is_empty());
            r.p_data = text.as_mut_ptr().cast();
            std::mem::forget(text);
        }
        f(t.d.handle(), &info, &mut n, reps.as_mut_ptr()).result()?;
        for r in &reps {
            let text = Vec::from_raw_parts(r.p_data.cast::<u8>(), r.data_size, r.data_size);
            if r.is_text != 0 {
                check!(text.last() == Some(&0), "a text without its end");
                check!(std::str::from_utf8(&text).is_ok());
            }
            if t.is_ours() {
                check!(text.iter().any(|b| *b != 0), "an empty representation");
            }
        }
    }
    Ok(())
}

unsafe fn required_subgroup_size() -> R {
    let t = T::new(&[])?;
    need!(t.features.v13.subgroup_size_control != 0, "subgroupSizeControl");
    let p = t.property::<vk::PhysicalDeviceSubgroupSizeControlProperties<'_>>();
    need!(p.required_subgroup_size_stages.contains(vk::ShaderStageFlags::COMPUTE), "required subgroup sizes");
    let mut size = p.min_subgroup_size;
    while size <= p.max_subgroup_size {
        let n = 64u32;
        let (v, o, ids) = (t.buf_of(&[1u32; 64])?, t.zeros(64 * 21 * 4)?, t.zeros(64 * 16)?);
        let info = KernelInfo {
            code: spv!("subgroup_arith_u32"),
            subgroup: size,
            stage_flags: vk::PipelineShaderStageCreateFlags::REQUIRE_FULL_SUBGROUPS,
            spec: &[(0, &n.to_ne_bytes())],
            ..KernelInfo::default()
        };
        t.compute_of(&info, &[B::S(v), B::S(o), B::S(ids)], &words(&[n, u32::MAX]), [1, 1, 1])?;
        for id in ids.get::<[u32; 4]>() {
            same!((id[2], id[3]), (size, n / size), "for a required size of {size}");
        }
        equal(&o.get::<u32>()[..64], &[size; 64])?;
        size *= 2;
    }
    Ok(())
}

unsafe fn full_subgroups() -> R {
    let t = T::new(&[])?;
    need!(t.features.v13.compute_full_subgroups != 0, "computeFullSubgroups");
    let max = t.property::<vk::PhysicalDeviceSubgroupSizeControlProperties<'_>>().max_subgroup_size;
    let n = max * 2;
    need!(n <= t.props.limits.max_compute_work_group_invocations, "room for two subgroups");
    for flags in [
        vk::PipelineShaderStageCreateFlags::REQUIRE_FULL_SUBGROUPS,
        vk::PipelineShaderStageCreateFlags::REQUIRE_FULL_SUBGROUPS
            | vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE,
    ] {
        let (v, o, ids) =
            (t.buf_of(&vec![1u32; n as usize])?, t.zeros(u64::from(n) * 21 * 4)?, t.zeros(u64::from(n) * 16)?);
        let info = KernelInfo {
            code: spv!("subgroup_arith_u32"),
            stage_flags: flags,
            spec: &[(0, &n.to_ne_bytes())],
            ..KernelInfo::default()
        };
        t.compute_of(&info, &[B::S(v), B::S(o), B::S(ids)], &words(&[n, u32::MAX]), [1, 1, 1])?;
        for (id, sum) in ids.get::<[u32; 4]>().iter().zip(o.get::<u32>()) {
            check!(id[2] == sum && id[2] * id[3] == n, "{id:?}: {sum} invocations in a subgroup");
        }
    }
    Ok(())
}

unsafe fn many_threads() -> R {
    // Threads compile different pipelines with one cache, at the same time.
    let t = T::new(&[])?;
    let cache = cache_of(&t, &[])?;
    let sl = t.set_layout(&[D::STORAGE_BUFFER])?;
    let layout = t.layout(&[sl], 16)?;
    let d = &t.d;
    let made = std::thread::scope(|s| {
        let threads: Vec<_> = (0..4u32)
            .map(|k| {
                s.spawn(move || -> Result<Vec<vk::Pipeline>, vk::Result> {
                    let module =
                        d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(spv!("affine")), None)?;
                    let entry = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];
                    let mut all = Vec::new();
                    for n in 0..6u32 {
                        // Some sizes in common, some not.
                        let size = (16 + n * if n % 2 == 0 { 1 } else { k + 1 }).to_ne_bytes();
                        let spec = vk::SpecializationInfo::default().map_entries(&entry).data(&size);
                        let info = [vk::ComputePipelineCreateInfo::default()
                            .stage(stage(module).specialization_info(&spec))
                            .layout(layout)];
                        all.extend(d.create_compute_pipelines(cache, &info, None).map_err(|(_, e)| e)?);
                    }
                    d.destroy_shader_module(module, None);
                    Ok(all)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap_or(Err(vk::Result::ERROR_UNKNOWN))).collect::<Result<Vec<_>, _>>()
    })?;
    for p in made.into_iter().flatten() {
        works(&t, t.own(p), layout, sl)?;
    }
    Ok(())
}

static HEARD: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());

unsafe extern "system" fn hear(
    _: vk::DebugUtilsMessageSeverityFlagsEXT,
    _: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    _: *mut std::ffi::c_void,
) -> vk::Bool32 {
    let text = (*data).message_as_c_str().unwrap_or(c"").to_string_lossy().into_owned();
    HEARD.lock().unwrap_or_else(|e| e.into_inner()).push_str(&text);
    vk::FALSE
}

unsafe fn unsupported_instruction() -> R {
    let t = T::open(&cts::Setup { unvalidated: true, ..cts::Setup::default() })?;
    need!(t.is_ours(), "promise about modules outside of the specification");
    let ext = ash::ext::debug_utils::Instance::new(t.entry(), t.instance());
    let info = vk::DebugUtilsMessengerCreateInfoEXT::default()
        .message_severity(vk::DebugUtilsMessageSeverityFlagsEXT::ERROR | vk::DebugUtilsMessageSeverityFlagsEXT::WARNING)
        .message_type(vk::DebugUtilsMessageTypeFlagsEXT::GENERAL | vk::DebugUtilsMessageTypeFlagsEXT::VALIDATION)
        .pfn_user_callback(Some(hear));
    let m = ext.create_debug_utils_messenger(&info, None)?;
    let layout = t.layout(&[], 0)?;
    let made = t.pipeline(&KernelInfo { code: spv!("unsupported"), ..KernelInfo::default() }, layout);
    ext.destroy_debug_utils_messenger(m, None);
    check!(made.is_err(), "an unsupported module made a pipeline");
    let heard = HEARD.lock().unwrap_or_else(|e| e.into_inner()).clone();
    check!(heard.contains("Pipe"), "the message does not name the instruction: {heard:?}");
    Ok(())
}

unsafe fn from_wgsl() -> R {
    // SPIR-V of another compiler.
    let t = T::new(&[])?;
    let code = cts::shaders::wgsl(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         var<workgroup> shared_sum: atomic<u32>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3<u32>, @builtin(local_invocation_index) l: u32) {
             atomicAdd(&shared_sum, data[g.x]);
             workgroupBarrier();
             let sum = atomicLoad(&shared_sum);
             var x = data[g.x];
             loop { if x < 10u { break; } x = x / 2u; continuing { x = x + 1u; } }
             data[g.x] = sum * 100u + x;
         }",
    )
    .map_err(Stop::Fail)?;
    let data: Vec<u32> = (0..128).collect();
    let b = t.buf_of(&data)?;
    t.compute(&code, &[B::S(b)], &[], [2, 1, 1])?;
    let want: Vec<u32> = (0..128u32)
        .map(|i| {
            let sum: u32 = (i / 64 * 64..i / 64 * 64 + 64).sum();
            let mut x = i;
            while x >= 10 {
                x = x / 2 + 1;
            }
            sum * 100 + x
        })
        .collect();
    equal(&b.get::<u32>(), &want)
}

unsafe fn largest_workgroup() -> R {
    let t = T::new(&[])?;
    let n = t.props.limits.max_compute_work_group_invocations.min(t.props.limits.max_compute_work_group_size[0]);
    for size in [n, n - 1, 3, 1] {
        let b = t.buf_of(&vec![1u32; 4096])?;
        let info = KernelInfo { code: spv!("affine"), spec: &[(0, &size.to_ne_bytes())], ..KernelInfo::default() };
        t.compute_of(&info, &[B::S(b)], &words(&[0, 4096, 2, 3]), [4096u32.div_ceil(size), 1, 1])?;
        equal(&b.get::<u32>(), &[5; 4096])?;
    }
    Ok(())
}

unsafe fn derivatives() -> R {
    // Pipeline derivatives have no effect but must be taken.
    let t = T::new(&[])?;
    let (module, layout, sl) = affine(&t)?;
    let base = vk::ComputePipelineCreateInfo::default()
        .flags(vk::PipelineCreateFlags::ALLOW_DERIVATIVES)
        .stage(stage(module))
        .layout(layout);
    let by_index = base.flags(vk::PipelineCreateFlags::DERIVATIVE).base_pipeline_index(0);
    let made =
        t.d.create_compute_pipelines(vk::PipelineCache::null(), &[base.base_pipeline_index(-1), by_index], None)
            .map_err(|(_, e)| e)?;
    let by_handle = by_index.base_pipeline_handle(made[0]).base_pipeline_index(-1);
    let third = t.d.create_compute_pipelines(vk::PipelineCache::null(), &[by_handle], None).map_err(|(_, e)| e)?;
    for p in made.into_iter().chain(third) {
        works(&t, t.own(p), layout, sl)?;
    }
    Ok(())
}

unsafe fn module_identifiers() -> R {
    use ash::ext::shader_module_identifier as smi;
    // The layer that looks for missing barriers asks pipelines for modules that they do not have.
    let t = T::open(&cts::Setup { extensions: &[smi::NAME], hazards_unwatched: true, ..cts::Setup::default() })?;
    need!(t.features.module_identifier.shader_module_identifier != 0, "shaderModuleIdentifier");
    let ext = smi::Device::new(t.instance(), &t.d);
    let (module, layout, sl) = affine(&t)?;
    let of = |code: &[u32]| {
        let mut out = vk::ShaderModuleIdentifierEXT::default();
        let info = vk::ShaderModuleCreateInfo::default().code(code);
        (ext.fp().get_shader_module_create_info_identifier_ext)(t.d.handle(), &info, &mut out);
        out
    };
    let mut of_module = vk::ShaderModuleIdentifierEXT::default();
    (ext.fp().get_shader_module_identifier_ext)(t.d.handle(), module, &mut of_module);
    let bytes = |i: &vk::ShaderModuleIdentifierEXT<'_>| i.identifier[..i.identifier_size as usize].to_vec();
    let identifier = bytes(&of_module);
    check!(!identifier.is_empty() && identifier.len() <= 32);
    equal(&bytes(&of(spv!("affine"))), &identifier)?;
    check!(bytes(&of(spv!("reduce"))) != identifier, "two modules with one identifier");
    // Without the code a pipeline can only be had if it was made before; a size of its own makes sure that it was not.
    let entry = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];
    let size = 53u32.to_ne_bytes();
    let spec = vk::SpecializationInfo::default().map_entries(&entry).data(&size);
    let cache = cache_of(&t, &[])?;
    let by_identifier = |identifier: &[u8]| {
        let mut id = vk::PipelineShaderStageModuleIdentifierCreateInfoEXT::default().identifier(identifier);
        let stage = stage(vk::ShaderModule::null()).specialization_info(&spec).push_next(&mut id);
        let info = vk::ComputePipelineCreateInfo::default()
            .flags(vk::PipelineCreateFlags::FAIL_ON_PIPELINE_COMPILE_REQUIRED)
            .stage(stage)
            .layout(layout);
        t.d.create_compute_pipelines(cache, &[info], None)
    };
    match by_identifier(&identifier) {
        Ok(p) => works(&t, t.own(p[0]), layout, sl)?,
        Err((p, e)) => same!((p[0], e), (vk::Pipeline::null(), vk::Result::PIPELINE_COMPILE_REQUIRED)),
    }
    let whole = vk::ComputePipelineCreateInfo::default().stage(stage(module).specialization_info(&spec)).layout(layout);
    let p = t.d.create_compute_pipelines(cache, &[whole], None).map_err(|(_, e)| e)?;
    works(&t, t.own(p[0]), layout, sl)?;
    match by_identifier(&identifier) {
        Ok(p) => works(&t, t.own(p[0]), layout, sl)?,
        Err((_, e)) => {
            check!(!t.is_ours(), "not found in the cache it was put into: {e:?}");
            same!(e, vk::Result::PIPELINE_COMPILE_REQUIRED);
        }
    }
    // An identifier of nothing.
    let Err((p, e)) = by_identifier(&vec![0x5a; identifier.len()]) else { fail!("a pipeline from nothing") };
    same!((p[0], e), (vk::Pipeline::null(), vk::Result::PIPELINE_COMPILE_REQUIRED));
    Ok(())
}
