//! VK_KHR_pipeline_binary: kernels that the application keeps.

use crate::support::*;
use ash::vk;
use cts::generated::types as x;
use std::ffi::CStr;
use std::ptr::{null, null_mut};
use vk::DescriptorType as D;

tests! { through_data, keys, from_the_driver, bad_data }

/// The loaded commands and a kernel with its layout.
struct P {
    t: T,
    create: x::PFN_vkCreatePipelineBinariesKHR,
    destroy: x::PFN_vkDestroyPipelineBinaryKHR,
    key: x::PFN_vkGetPipelineKeyKHR,
    data: x::PFN_vkGetPipelineBinaryDataKHR,
    release: x::PFN_vkReleaseCapturedPipelineDataKHR,
    module: vk::ShaderModule,
    layout: vk::PipelineLayout,
    sets: vk::DescriptorSetLayout,
}

unsafe fn open() -> R<P> {
    let t = T::new(&[c"VK_KHR_pipeline_binary", ash::khr::maintenance5::NAME])?;
    need!(t.features.pipeline_binary.pipeline_binaries != 0, "pipelineBinaries");
    let get = |name: &CStr| {
        let f = t.instance().fp_v1_0().get_device_proc_addr;
        f(t.d.handle(), name.as_ptr()).ok_or_else(|| Stop::Fail(format!("no address for {name:?}")))
    };
    // What the transmutes turn the addresses into is the type of the command of that name.
    type F = unsafe extern "system" fn();
    let create = std::mem::transmute::<F, x::PFN_vkCreatePipelineBinariesKHR>(get(c"vkCreatePipelineBinariesKHR")?);
    let destroy = std::mem::transmute::<F, x::PFN_vkDestroyPipelineBinaryKHR>(get(c"vkDestroyPipelineBinaryKHR")?);
    let key = std::mem::transmute::<F, x::PFN_vkGetPipelineKeyKHR>(get(c"vkGetPipelineKeyKHR")?);
    let data = std::mem::transmute::<F, x::PFN_vkGetPipelineBinaryDataKHR>(get(c"vkGetPipelineBinaryDataKHR")?);
    let release =
        std::mem::transmute::<F, x::PFN_vkReleaseCapturedPipelineDataKHR>(get(c"vkReleaseCapturedPipelineDataKHR")?);
    let module = t.own(t.d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(spv!("affine")), None)?);
    let sets = t.set_layout(&[D::STORAGE_BUFFER])?;
    let layout = t.layout(&[sets], 16)?;
    Ok(P { t, create, destroy, key, data, release, module, layout, sets })
}

/// What a binary is made from.
enum From<'a> {
    Pipeline(vk::Pipeline),
    Info(&'a vk::ComputePipelineCreateInfo<'a>),
    Data(&'a x::PipelineBinaryKeyKHR<'static>, &'a [u8]),
}

impl P {
    /// The kernel with workgroups of a size; the specialisation must outlive it.
    fn info<'a>(&self, spec: &'a vk::SpecializationInfo<'a>) -> vk::ComputePipelineCreateInfo<'a> {
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(self.module)
            .name(c"main")
            .specialization_info(spec);
        vk::ComputePipelineCreateInfo::default().stage(stage).layout(self.layout)
    }

    /// A pipeline whose binary may be asked for.
    unsafe fn captured(&self, info: vk::ComputePipelineCreateInfo<'_>) -> R<vk::Pipeline> {
        let mut flags =
            vk::PipelineCreateFlags2CreateInfoKHR::default().flags(x::PIPELINE_CREATE_2_CAPTURE_DATA_BIT_KHR);
        let info = [info.push_next(&mut flags)];
        Ok(self.t.d.create_compute_pipelines(vk::PipelineCache::null(), &info, None).map_err(|(_, e)| e)?[0])
    }

    unsafe fn binary(&self, from: From<'_>) -> Result<x::PipelineBinaryKHR, vk::Result> {
        let mut info = x::PipelineBinaryCreateInfoKHR::default();
        let (data, keys, of_info);
        match from {
            From::Pipeline(pipeline) => info.pipeline = pipeline,
            From::Info(create) => {
                of_info = x::PipelineCreateInfoKHR {
                    p_next: std::ptr::from_ref(create).cast_mut().cast(),
                    ..Default::default()
                };
                info.p_pipeline_create_info = &of_info;
            }
            From::Data(key, bytes) => {
                data = x::PipelineBinaryDataKHR {
                    data_size: bytes.len(),
                    p_data: bytes.as_ptr().cast_mut().cast(),
                    ..Default::default()
                };
                keys = x::PipelineBinaryKeysAndDataKHR {
                    binary_count: 1,
                    p_pipeline_binary_keys: key,
                    p_pipeline_binary_data: &data,
                    ..Default::default()
                };
                info.p_keys_and_data_info = &keys;
            }
        }
        let mut handles = x::PipelineBinaryHandlesInfoKHR::default();
        (self.create)(self.t.d.handle(), &info, null(), &mut handles).result()?;
        // A compute kernel is one binary in this driver; another may have more, which these tests do not look at.
        let mut out = vec![x::PipelineBinaryKHR::default(); handles.pipeline_binary_count as usize];
        handles.p_pipeline_binaries = out.as_mut_ptr();
        let r = (self.create)(self.t.d.handle(), &info, null(), &mut handles);
        let destroy = self.destroy;
        for b in out.iter().copied().filter(|b| *b != x::PipelineBinaryKHR::default()) {
            // SAFETY: destroyed once, before the device.
            self.t.later(move |d| unsafe { destroy(d.handle(), b, null()) });
        }
        r.result()?;
        out.first().copied().ok_or(vk::Result::ERROR_UNKNOWN)
    }

    unsafe fn bytes(&self, b: x::PipelineBinaryKHR) -> R<(x::PipelineBinaryKeyKHR<'static>, Vec<u8>)> {
        let info = x::PipelineBinaryDataInfoKHR { pipeline_binary: b, ..Default::default() };
        let mut key = x::PipelineBinaryKeyKHR::default();
        let mut n = 0;
        (self.data)(self.t.d.handle(), &info, &mut key, &mut n, null_mut()).result()?;
        check!(n > 0 && key.key_size > 0 && key.key_size <= 32);
        let mut out = vec![0u8; n];
        let mut room = n - 1;
        let r = (self.data)(self.t.d.handle(), &info, &mut key, &mut room, out.as_mut_ptr().cast());
        same!((r, room), (x::ERROR_NOT_ENOUGH_SPACE_KHR, n), "with too little room");
        check!(out.iter().all(|b| *b == 0), "bytes of data that do not fit");
        (self.data)(self.t.d.handle(), &info, &mut key, &mut n, out.as_mut_ptr().cast()).result()?;
        Ok((key, out))
    }

    /// A pipeline of a binary, without its code.
    unsafe fn pipeline_of(&self, binary: x::PipelineBinaryKHR) -> R<vk::Pipeline> {
        let binaries = x::PipelineBinaryInfoKHR { binary_count: 1, p_pipeline_binaries: &binary, ..Default::default() };
        let stage = vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE).name(c"main");
        let mut info = vk::ComputePipelineCreateInfo::default().stage(stage).layout(self.layout);
        info.p_next = (&raw const binaries).cast();
        let made = self.t.d.create_compute_pipelines(vk::PipelineCache::null(), &[info], None).map_err(|(_, e)| e)?;
        Ok(self.t.own(made[0]))
    }

    unsafe fn works(&self, p: vk::Pipeline) -> R {
        let b = self.t.buf_of(&[1u32; 64])?;
        let set = self.t.set(self.sets, &[B::S(b)])?;
        self.t.now(|c| {
            self.t.bind(c, &K { p, layout: self.layout, set_layout: self.sets }, set, &words(&[0, 64, 3, 2]));
            self.t.d.cmd_dispatch(c, 64, 1, 1);
        })?;
        equal(&b.get::<u32>(), &[5; 64])
    }

    unsafe fn key_of(&self, info: Option<&vk::ComputePipelineCreateInfo<'_>>) -> R<Vec<u8>> {
        let mut create = x::PipelineCreateInfoKHR::default();
        let mut at = null();
        if let Some(info) = info {
            create.p_next = std::ptr::from_ref(info).cast_mut().cast();
            at = &raw const create;
        }
        let mut key = x::PipelineBinaryKeyKHR::default();
        (self.key)(self.t.d.handle(), at, &mut key).result()?;
        check!(key.key_size > 0 && key.key_size <= 32);
        Ok(key.key[..key.key_size as usize].to_vec())
    }
}

const SIZE: [vk::SpecializationMapEntry; 1] = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];

unsafe fn through_data() -> R {
    let p = open()?;
    let size = 48u32.to_ne_bytes();
    let spec = vk::SpecializationInfo::default().map_entries(&SIZE).data(&size);
    let pipeline = p.captured(p.info(&spec))?;
    let first = p.binary(From::Pipeline(pipeline))?;
    let release = x::ReleaseCapturedPipelineDataInfoKHR { pipeline, ..Default::default() };
    (p.release)(p.t.d.handle(), &release, null()).result()?;
    p.works(pipeline)?;
    p.t.d.destroy_pipeline(pipeline, None);
    p.works(p.pipeline_of(first)?)?;
    let (key, bytes) = p.bytes(first)?;
    let second = p.binary(From::Data(&key, &bytes))?;
    p.works(p.pipeline_of(second)?)?;
    let (again, copy) = p.bytes(second)?;
    same!(again.key, key.key);
    equal(&copy, &bytes)
}

unsafe fn keys() -> R {
    let p = open()?;
    let (a, b) = (16u32.to_ne_bytes(), 17u32.to_ne_bytes());
    let spec = |size| vk::SpecializationInfo::default().map_entries(&SIZE).data(size);
    let (a, b) = (spec(&a), spec(&b));
    same!(p.key_of(Some(&p.info(&a)))?, p.key_of(Some(&p.info(&a)))?);
    check!(p.key_of(Some(&p.info(&a)))? != p.key_of(Some(&p.info(&b)))?, "two kernels with one key");
    same!(p.key_of(None)?, p.key_of(None)?);
    Ok(())
}

unsafe fn from_the_driver() -> R {
    let p = open()?;
    let properties = p.t.property_of::<x::PhysicalDevicePipelineBinaryPropertiesKHR<'_>>();
    need!(properties.pipeline_binary_internal_cache != 0, "pipelineBinaryInternalCache");
    let size = 57u32.to_ne_bytes();
    let spec = vk::SpecializationInfo::default().map_entries(&SIZE).data(&size);
    match p.binary(From::Info(&p.info(&spec))) {
        // A kernel of before; files may have it.
        Ok(_) => println!("found at once"),
        Err(e) => same!(e, x::PIPELINE_BINARY_MISSING_KHR),
    }
    let pipeline = p.t.own(p.captured(p.info(&spec))?);
    p.works(pipeline)?;
    match p.binary(From::Info(&p.info(&spec))) {
        Ok(b) => p.works(p.pipeline_of(b)?),
        Err(e) => {
            check!(!p.t.is_ours(), "not found after it was made: {e:?}");
            same!(e, x::PIPELINE_BINARY_MISSING_KHR);
            Ok(())
        }
    }
}

unsafe fn bad_data() -> R {
    let p = open()?;
    need!(p.t.is_ours(), "promise about damaged data");
    let size = 33u32.to_ne_bytes();
    let spec = vk::SpecializationInfo::default().map_entries(&SIZE).data(&size);
    let pipeline = p.t.own(p.captured(p.info(&spec))?);
    let (key, bytes) = p.bytes(p.binary(From::Pipeline(pipeline))?)?;
    let mut random = Random(9);
    for round in 0..64 {
        let mut bad = bytes.clone();
        if round % 2 == 0 {
            bad.truncate(random.below(bad.len() as u32) as usize);
        } else {
            let at = random.below(bad.len() as u32) as usize;
            bad[at] ^= 1 << random.below(8);
        }
        same!(p.binary(From::Data(&key, &bad)), Err(vk::Result::ERROR_INITIALIZATION_FAILED), "round {round}");
    }
    Ok(())
}
