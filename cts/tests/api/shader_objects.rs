//! VK_EXT_shader_object: compute shaders without pipelines, from SPIR-V and from their binary form.

use crate::support::*;
use ash::ext::shader_object as so;
use ash::vk;
use vk::DescriptorType as D;

tests! {
    from_spirv_and_binary, take_turns_with_pipelines, foreign_binaries, several_at_once, other_stages, subgroup_sizes,
    base_and_unbinding, ignored_state,
}

/// A device with the extension.
pub struct X {
    /// The device.
    pub t: T,
    ext: so::Device,
}

unsafe fn open() -> R<X> {
    open_as(&cts::Setup::default())
}

unsafe fn open_as(setup: &cts::Setup<'_>) -> R<X> {
    let t = T::open(&cts::Setup { extensions: &[so::NAME], ..*setup })?;
    need!(t.features.shader_object.shader_object != 0, "shaderObject");
    Ok(X::of(t))
}

/// Layouts of the kernel `affine`: 4 words of push constants, a storage buffer.
pub struct Layouts {
    /// For pipelines.
    pub pipeline: vk::PipelineLayout,
    /// For shader objects.
    pub sets: [vk::DescriptorSetLayout; 1],
}

const PUSH: [vk::PushConstantRange; 1] =
    [vk::PushConstantRange { stage_flags: vk::ShaderStageFlags::COMPUTE, offset: 0, size: 16 }];

impl X {
    /// A device that may have shader objects.
    pub fn of(t: T) -> X {
        let ext = so::Device::new(t.instance(), &t.d);
        X { t, ext }
    }

    /// Layouts of the kernel `affine`.
    pub unsafe fn layouts(&self) -> R<Layouts> {
        let sets = [self.t.set_layout(&[D::STORAGE_BUFFER])?];
        Ok(Layouts { pipeline: self.t.layout(&sets, 16)?, sets })
    }

    /// Makes one; it is destroyed with the device.
    pub unsafe fn make(&self, info: &vk::ShaderCreateInfoEXT<'_>) -> R<vk::ShaderEXT> {
        let made = self.ext.create_shaders(std::slice::from_ref(info), None).map_err(|(_, e)| e)?[0];
        self.keep(made);
        Ok(made)
    }

    fn keep(&self, shader: vk::ShaderEXT) {
        let ext = self.ext.clone();
        // SAFETY: runs once, after the device became idle, before it is destroyed.
        self.t.later(move |_| unsafe { ext.destroy_shader(shader, None) });
    }

    /// Binds a compute shader.
    pub unsafe fn bind(&self, c: vk::CommandBuffer, shader: vk::ShaderEXT) {
        self.ext.cmd_bind_shaders(c, &[vk::ShaderStageFlags::COMPUTE], &[shader]);
    }

    /// Runs `affine` over 64 ones; the results must be 5.
    unsafe fn works(&self, shader: vk::ShaderEXT, l: &Layouts) -> R {
        let b = self.t.buf_of(&[1u32; 64])?;
        let set = self.t.set(l.sets[0], &[B::S(b)])?;
        self.t.now(|c| {
            self.bind(c, shader);
            self.data(c, l, set, [0, 64, 3, 2]);
            self.t.d.cmd_dispatch(c, 64, 1, 1);
        })?;
        equal(&b.get::<u32>(), &[5; 64])
    }

    /// Binds what `affine` works on.
    pub unsafe fn data(&self, c: vk::CommandBuffer, l: &Layouts, set: vk::DescriptorSet, push: [u32; 4]) {
        self.t.d.cmd_bind_descriptor_sets(c, vk::PipelineBindPoint::COMPUTE, l.pipeline, 0, &[set], &[]);
        self.t.d.cmd_push_constants(c, l.pipeline, vk::ShaderStageFlags::COMPUTE, 0, &words(&push));
    }
}

/// The kernel `affine`.
pub fn affine<'a>(code: &'a [u32], l: &'a Layouts) -> vk::ShaderCreateInfoEXT<'a> {
    vk::ShaderCreateInfoEXT::default()
        .stage(vk::ShaderStageFlags::COMPUTE)
        .code_type(vk::ShaderCodeTypeEXT::SPIRV)
        .code(bytemuck::cast_slice(code))
        .name(c"main")
        .set_layouts(&l.sets)
        .push_constant_ranges(&PUSH)
}

/// The binary at an address that is a multiple of 16, as the API wants it.
fn aligned(bytes: &[u8]) -> Vec<u128> {
    let mut out = vec![0u128; bytes.len().div_ceil(16)];
    bytemuck::cast_slice_mut(&mut out)[..bytes.len()].copy_from_slice(bytes);
    out
}

fn binary<'a>(info: vk::ShaderCreateInfoEXT<'a>, data: &'a [u8]) -> vk::ShaderCreateInfoEXT<'a> {
    info.code_type(vk::ShaderCodeTypeEXT::BINARY).code(data)
}

unsafe fn from_spirv_and_binary() -> R {
    let x = open()?;
    let l = x.layouts()?;
    let code = spv!("affine");
    let entries = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];
    let size = 16u32.to_ne_bytes();
    let spec = vk::SpecializationInfo::default().map_entries(&entries).data(&size);
    let info = affine(code, &l).specialization_info(&spec);
    let first = x.make(&info)?;
    x.works(first, &l)?;
    let data = x.ext.get_shader_binary_data(first)?;
    let place = aligned(&data);
    let second = x.make(&binary(info, &bytemuck::cast_slice(&place)[..data.len()]))?;
    x.works(second, &l)?;
    same!(x.ext.get_shader_binary_data(second)?.len(), data.len());
    // Too little room: nothing is written.
    let mut room = data.len() - 1;
    let mut part = aligned(&[0xaa; 16]);
    part.resize(place.len(), 0xaaaa);
    let before = part.clone();
    let f = so::Device::fp(&x.ext).get_shader_binary_data_ext;
    let r = f(x.t.d.handle(), first, &mut room, part.as_mut_ptr().cast());
    same!((r, room), (vk::Result::INCOMPLETE, 0));
    check!(part == before, "bytes of a binary that does not fit");
    let p = x.t.property::<vk::PhysicalDeviceShaderObjectPropertiesEXT<'_>>();
    check!(p.shader_binary_uuid != [0; 16]);
    Ok(())
}

unsafe fn take_turns_with_pipelines() -> R {
    let x = open()?;
    let (t, l) = (&x.t, x.layouts()?);
    let code = spv!("affine");
    let shader = x.make(&affine(code, &l))?;
    let pipeline = t.own(t.pipeline(&KernelInfo { code, ..KernelInfo::default() }, l.pipeline)?);
    let b = t.buf_of(&[1u32; 64])?;
    let set = t.set(l.sets[0], &[B::S(b)])?;
    t.now(|c| {
        // Descriptors and push constants stay while programs change.
        x.bind(c, shader);
        x.data(c, &l, set, [0, 64, 3, 2]);
        t.d.cmd_dispatch(c, 1, 1, 1);
        t.full_barrier(c);
        t.d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, pipeline);
        t.d.cmd_dispatch(c, 1, 1, 1);
        t.full_barrier(c);
        t.d.cmd_push_constants(c, l.pipeline, vk::ShaderStageFlags::COMPUTE, 8, &words(&[1, 1]));
        x.bind(c, shader);
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    equal(&b.get::<u32>(), &[(3 + 2) * 3 + 2 + 1; 64])
}

unsafe fn foreign_binaries() -> R {
    let x = open()?;
    let l = x.layouts()?;
    let code = spv!("affine");
    let good = x.make(&affine(code, &l))?;
    let data = x.ext.get_shader_binary_data(good)?;
    let mut random = Random(5);
    for round in 0..64 {
        let mut bad = data.clone();
        match round {
            0 => bad.truncate(data.len() / 2),
            1 => bad.truncate(1),
            2 => bad.iter_mut().for_each(|b| *b = random.word() as u8),
            // Only this driver promises to notice every damaged byte.
            _ if x.t.is_ours() => {
                let at = random.below(bad.len() as u32) as usize;
                bad[at] ^= 1 << random.below(8);
            }
            _ => break,
        }
        let place = aligned(&bad);
        let info = binary(affine(code, &l), &bytemuck::cast_slice(&place)[..bad.len()]);
        match x.ext.create_shaders(&[info], None) {
            Ok(_) => fail!("a bad binary was taken in round {round}"),
            Err((made, e)) => {
                same!((made[0], e), (vk::ShaderEXT::null(), vk::Result::INCOMPATIBLE_SHADER_BINARY_EXT));
            }
        }
    }
    Ok(())
}

unsafe fn several_at_once() -> R {
    // Some from SPIR-V, some from binaries, one of them bad: the others are there.
    let x = open()?;
    let l = x.layouts()?;
    let code = spv!("affine");
    let data = x.ext.get_shader_binary_data(x.make(&affine(code, &l))?)?;
    let place = aligned(&data);
    let short = aligned(&data[..32]);
    let entries = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];
    let size = 7u32.to_ne_bytes();
    let spec = vk::SpecializationInfo::default().map_entries(&entries).data(&size);
    let infos = [
        affine(code, &l).specialization_info(&spec),
        binary(affine(code, &l), &bytemuck::cast_slice(&place)[..data.len()]),
        affine(code, &l),
        binary(affine(code, &l), &bytemuck::cast_slice(&short)[..32]),
    ];
    let Err((made, e)) = x.ext.create_shaders(&infos, None) else { fail!("a cut binary was taken") };
    made.iter().filter(|s| **s != vk::ShaderEXT::null()).for_each(|s| x.keep(*s));
    same!(e, vk::Result::INCOMPATIBLE_SHADER_BINARY_EXT);
    same!(made[3], vk::ShaderEXT::null());
    for shader in &made[..3] {
        check!(*shader != vk::ShaderEXT::null());
        x.works(*shader, &l)?;
    }
    Ok(())
}

unsafe fn other_stages() -> R {
    let x = open_as(&cts::Setup { unvalidated: true, ..cts::Setup::default() })?;
    need!(x.t.is_ours(), "promise about stages it does not have");
    let l = x.layouts()?;
    let code = spv!("affine");
    let infos = [affine(code, &l), affine(code, &l).stage(vk::ShaderStageFlags::VERTEX)];
    let Err((made, e)) = x.ext.create_shaders(&infos, None) else { fail!("a vertex shader on a compute device") };
    same!((e, made[1]), (vk::Result::ERROR_UNKNOWN, vk::ShaderEXT::null()));
    x.keep(made[0]);
    x.works(made[0], &l)
}

unsafe fn subgroup_sizes() -> R {
    let x = open()?;
    let t = &x.t;
    need!(t.features.v13.subgroup_size_control != 0, "subgroupSizeControl");
    need!(t.features.v13.compute_full_subgroups != 0, "computeFullSubgroups");
    let p = t.property::<vk::PhysicalDeviceSubgroupSizeControlProperties<'_>>();
    need!(p.required_subgroup_size_stages.contains(vk::ShaderStageFlags::COMPUTE), "required subgroup sizes");
    let code = spv!("subgroup_arith_u32");
    let sets = [t.set_layout(&[D::STORAGE_BUFFER; 3])?];
    let l = Layouts { pipeline: t.layout(&sets, 16)?, sets };
    let entries = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];
    let n = 64u32;
    let size = n.to_ne_bytes();
    let spec = vk::SpecializationInfo::default().map_entries(&entries).data(&size);
    let mut width = p.min_subgroup_size;
    while width <= p.max_subgroup_size.min(n) {
        let mut required =
            vk::PipelineShaderStageRequiredSubgroupSizeCreateInfo::default().required_subgroup_size(width);
        let mut info =
            affine(code, &l).specialization_info(&spec).flags(vk::ShaderCreateFlagsEXT::REQUIRE_FULL_SUBGROUPS);
        // The bindings do not know that the structure may stand here too.
        info.p_next = std::ptr::from_mut(&mut required).cast();
        let shader = x.make(&info)?;
        let (v, o, ids) = (t.buf_of(&[1u32; 64])?, t.zeros(64 * 21 * 4)?, t.zeros(64 * 16)?);
        let set = t.set(l.sets[0], &[B::S(v), B::S(o), B::S(ids)])?;
        t.now(|c| {
            x.bind(c, shader);
            x.data(c, &l, set, [n, u32::MAX, 0, 0]);
            t.d.cmd_dispatch(c, 1, 1, 1);
        })?;
        for id in ids.get::<[u32; 4]>() {
            same!((id[2], id[3]), (width, n / width), "for a required size of {width}");
        }
        width *= 2;
    }
    Ok(())
}

unsafe fn base_and_unbinding() -> R {
    let x = open()?;
    let t = &x.t;
    let l = x.layouts()?;
    let code = spv!("affine");
    let shader = x.make(&affine(code, &l).flags(vk::ShaderCreateFlagsEXT::DISPATCH_BASE))?;
    let b = t.buf_of(&[1u32; 256])?;
    let set = t.set(l.sets[0], &[B::S(b)])?;
    t.now(|c| {
        x.data(c, &l, set, [0, 256, 3, 2]);
        // Unbinding what is not bound, one by one and without an array, has no effect.
        let unbind = so::Device::fp(&x.ext).cmd_bind_shaders_ext;
        unbind(c, 1, &vk::ShaderStageFlags::COMPUTE, std::ptr::null());
        x.bind(c, vk::ShaderEXT::null());
        x.bind(c, shader);
        t.d.cmd_dispatch_base(c, 2, 0, 0, 1, 1, 1);
    })?;
    let mut want = [1; 256];
    want[128..192].fill(5);
    equal(&b.get::<u32>(), &want)
}

unsafe fn ignored_state() -> R {
    // Frameworks built on shader objects set all the state there is, whatever the shader.
    let x = open_as(&cts::Setup { unvalidated: true, ..cts::Setup::default() })?;
    let t = &x.t;
    let graphics = t.instance().get_physical_device_queue_family_properties(t.physical)[t.family as usize].queue_flags;
    need!(
        t.is_ours() || graphics.contains(vk::QueueFlags::GRAPHICS),
        "graphics queues, nor a promise about their state"
    );
    let l = x.layouts()?;
    let code = spv!("affine");
    let shader = x.make(&affine(code, &l))?;
    let b = t.buf_of(&[1u32; 64])?;
    let set = t.set(l.sets[0], &[B::S(b)])?;
    t.now(|c| {
        x.ext.cmd_set_cull_mode(c, vk::CullModeFlags::BACK);
        x.ext.cmd_set_viewport_with_count(c, &[vk::Viewport::default()]);
        x.ext.cmd_set_vertex_input(c, &[], &[]);
        x.ext.cmd_set_polygon_mode(c, vk::PolygonMode::FILL);
        x.ext.cmd_set_color_write_mask(c, 0, &[vk::ColorComponentFlags::RGBA]);
        x.ext.cmd_set_sample_mask(c, vk::SampleCountFlags::TYPE_1, &[1]);
        x.bind(c, shader);
        x.data(c, &l, set, [0, 64, 3, 2]);
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    equal(&b.get::<u32>(), &[5; 64])
}
