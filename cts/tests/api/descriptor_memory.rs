//! Descriptors as memory: descriptors that change their type, descriptor buffers, captured addresses.

use crate::images;
use crate::support::*;
use ash::vk;
use vk::DescriptorType as D;

tests! {
    mutable_types, mutable_copies, mutable_support, descriptor_buffer_sets, descriptor_buffer_embedded_samplers, descriptor_buffer_push,
    captured_addresses,
}

const POINT: vk::PipelineBindPoint = vk::PipelineBindPoint::COMPUTE;

fn binding<'a>(at: u32, ty: D, n: u32) -> vk::DescriptorSetLayoutBinding<'a> {
    vk::DescriptorSetLayoutBinding::default()
        .binding(at)
        .descriptor_type(ty)
        .descriptor_count(n)
        .stage_flags(vk::ShaderStageFlags::COMPUTE)
}

/// The parts of `two.comp`: 64 × (a · 3 + 100).
unsafe fn two(t: &T) -> R<[Buf; 4]> {
    let a: Vec<u32> = (0..64).collect();
    Ok([t.buf_of(&a)?, t.buf_of(&[100u32; 64])?, t.buf_of(&[3u32, 64, 0, 0])?, t.zeros(256)?])
}

fn two_want() -> Vec<u32> {
    (0..64).map(|i| i * 3 + 100).collect()
}

// ---- mutable descriptors ----

unsafe fn mutable() -> R<T> {
    let t = T::new(&[ash::ext::mutable_descriptor_type::NAME])?;
    need!(t.features.mutable_descriptors.mutable_descriptor_type != 0, "mutableDescriptorType");
    Ok(t)
}

const LISTS: [&[D]; 4] = [
    &[D::STORAGE_BUFFER, D::SAMPLED_IMAGE],
    &[D::STORAGE_BUFFER, D::STORAGE_TEXEL_BUFFER],
    &[D::UNIFORM_BUFFER, D::STORAGE_BUFFER, D::STORAGE_IMAGE],
    &[D::SAMPLER, D::STORAGE_BUFFER],
];

/// A layout with one mutable descriptor for each of [`LISTS`].
unsafe fn mutable_layout(t: &T, flags: vk::DescriptorSetLayoutCreateFlags) -> R<vk::DescriptorSetLayout> {
    let bindings: Vec<_> = (0..4).map(|i| binding(i, D::MUTABLE_EXT, 1)).collect();
    let lists = LISTS.map(|l| vk::MutableDescriptorTypeListEXT::default().descriptor_types(l));
    let mut mutable = vk::MutableDescriptorTypeCreateInfoEXT::default().mutable_descriptor_type_lists(&lists);
    let info = vk::DescriptorSetLayoutCreateInfo::default().flags(flags).bindings(&bindings).push_next(&mut mutable);
    Ok(t.own(t.d.create_descriptor_set_layout(&info, None)?))
}

/// A pool for four mutable descriptors, and a set of it. Without lists a descriptor may become anything.
unsafe fn mutable_set(
    t: &T,
    layout: vk::DescriptorSetLayout,
    flags: vk::DescriptorPoolCreateFlags,
    lists: bool,
) -> R<vk::DescriptorSet> {
    let every: Vec<D> = LISTS.concat();
    let lists_of = [vk::MutableDescriptorTypeListEXT::default().descriptor_types(&every)];
    let mut mutable = vk::MutableDescriptorTypeCreateInfoEXT::default().mutable_descriptor_type_lists(&lists_of);
    let sizes = [vk::DescriptorPoolSize { ty: D::MUTABLE_EXT, descriptor_count: 4 }];
    let mut info = vk::DescriptorPoolCreateInfo::default().flags(flags).max_sets(1).pool_sizes(&sizes);
    if lists {
        info = info.push_next(&mut mutable);
    }
    let pool = t.own(t.d.create_descriptor_pool(&info, None)?);
    let layouts = [layout];
    let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts);
    Ok(t.d.allocate_descriptor_sets(&info)?[0])
}

unsafe fn run_two(t: &T, layout: vk::DescriptorSetLayout, set: vk::DescriptorSet) -> R {
    let pl = t.layout(&[layout], 0)?;
    let p = t.own(t.pipeline(&KernelInfo { code: spv!("two"), ..KernelInfo::default() }, pl)?);
    t.now(|c| {
        t.bind(c, &K { p, layout: pl, set_layout: layout }, set, &[]);
        t.d.cmd_dispatch(c, 2, 1, 1);
    })
}

unsafe fn mutable_types() -> R {
    let t = mutable()?;
    let l = mutable_layout(&t, vk::DescriptorSetLayoutCreateFlags::empty())?;
    let [a, b, u, o] = two(&t)?;
    for lists in [true, false] {
        let set = mutable_set(&t, l, vk::DescriptorPoolCreateFlags::empty(), lists)?;
        // First something else, then what the kernel wants.
        t.write(set, 1, B::St(t.texels(b, vk::Format::R32_UINT)?));
        t.write(set, 2, B::S(o));
        t.write(set, 0, B::S(a));
        t.write(set, 1, B::S(b));
        t.write(set, 2, B::U(u));
        t.write(set, 3, B::S(o));
        run_two(&t, l, set)?;
        equal(&o.get::<u32>(), &two_want())?;
        o.fill(0);
    }
    Ok(())
}

unsafe fn mutable_copies() -> R {
    // (Layers as old as Debian 12's lose the active type of a mutable descriptor that was copied.)
    let extensions = &[ash::ext::mutable_descriptor_type::NAME];
    let t = T::open(&cts::Setup { extensions, unvalidated: true, ..cts::Setup::default() })?;
    need!(t.features.mutable_descriptors.mutable_descriptor_type != 0, "mutableDescriptorType");
    let l = mutable_layout(&t, vk::DescriptorSetLayoutCreateFlags::empty())?;
    let host_layout = mutable_layout(&t, vk::DescriptorSetLayoutCreateFlags::HOST_ONLY_POOL_EXT)?;
    let fixed = t.set_layout(&[D::STORAGE_BUFFER, D::STORAGE_BUFFER, D::UNIFORM_BUFFER, D::STORAGE_BUFFER])?;
    let [a, b, u, o] = two(&t)?;
    let from = t.set(fixed, &[B::S(a), B::S(b), B::U(u), B::S(o)])?;
    let host = mutable_set(&t, host_layout, vk::DescriptorPoolCreateFlags::HOST_ONLY_EXT, true)?;
    let to = mutable_set(&t, l, vk::DescriptorPoolCreateFlags::empty(), true)?;
    let back = t.set(fixed, &[B::S(o), B::S(o), B::U(u), B::S(a)])?;
    let copy = |from, to| {
        let copies: Vec<_> = (0..4)
            .map(|i| {
                let c = vk::CopyDescriptorSet::default().src_set(from).src_binding(i);
                c.dst_set(to).dst_binding(i).descriptor_count(1)
            })
            .collect();
        t.d.update_descriptor_sets(&[], &copies);
    };
    // Fixed to mutable, mutable to mutable, mutable to fixed.
    copy(from, host);
    copy(host, to);
    copy(to, back);
    run_two(&t, l, to)?;
    equal(&o.get::<u32>(), &two_want())?;
    o.fill(0);
    run_two(&t, fixed, back)?;
    equal(&o.get::<u32>(), &two_want())
}

unsafe fn mutable_support() -> R {
    let t = mutable()?;
    let asked = |list: &[D]| {
        let bindings = [binding(0, D::MUTABLE_EXT, 2), binding(1, D::STORAGE_BUFFER, 1)];
        // The second binding has no list.
        let lists = [vk::MutableDescriptorTypeListEXT::default().descriptor_types(list)];
        let mut mutable = vk::MutableDescriptorTypeCreateInfoEXT::default().mutable_descriptor_type_lists(&lists);
        let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings).push_next(&mut mutable);
        let mut out = vk::DescriptorSetLayoutSupport::default();
        t.d.get_descriptor_set_layout_support(&info, &mut out);
        out.supported != 0
    };
    // What every implementation of the extension has to support.
    let all = [
        D::SAMPLED_IMAGE,
        D::STORAGE_IMAGE,
        D::UNIFORM_TEXEL_BUFFER,
        D::STORAGE_TEXEL_BUFFER,
        D::UNIFORM_BUFFER,
        D::STORAGE_BUFFER,
    ];
    check!(asked(&all));
    for ty in all {
        check!(asked(&[ty]), "{ty:?}");
    }
    if t.is_ours() {
        check!(!asked(&[D::STORAGE_BUFFER, D::ACCELERATION_STRUCTURE_KHR]), "there are no acceleration structures");
    }
    Ok(())
}

// ---- descriptor buffers ----

/// A device with descriptor buffers.
struct Db {
    t: T,
    ext: ash::ext::descriptor_buffer::Device,
    props: vk::PhysicalDeviceDescriptorBufferPropertiesEXT<'static>,
}

unsafe fn descriptor_buffers() -> R<Db> {
    // The layer that looks for missing barriers follows sets that are not bound.
    let extensions =
        &[ash::ext::descriptor_buffer::NAME, ash::ext::custom_border_color::NAME, ash::khr::push_descriptor::NAME];
    let t = T::open(&cts::Setup { extensions, hazards_unwatched: true, ..cts::Setup::default() })?;
    need!(t.features.descriptor_buffer.descriptor_buffer != 0, "descriptorBuffer");
    let ext = ash::ext::descriptor_buffer::Device::new(t.instance(), &t.d);
    let props = t.property();
    Ok(Db { t, ext, props })
}

impl Db {
    unsafe fn layout(
        &self,
        flags: vk::DescriptorSetLayoutCreateFlags,
        bindings: &[vk::DescriptorSetLayoutBinding<'_>],
    ) -> R<vk::DescriptorSetLayout> {
        let flags = flags | vk::DescriptorSetLayoutCreateFlags::DESCRIPTOR_BUFFER_EXT;
        let info = vk::DescriptorSetLayoutCreateInfo::default().flags(flags).bindings(bindings);
        Ok(self.t.own(self.t.d.create_descriptor_set_layout(&info, None)?))
    }

    unsafe fn pipeline(&self, code: &[u32], layout: vk::PipelineLayout) -> R<vk::Pipeline> {
        let flags = vk::PipelineCreateFlags::DESCRIPTOR_BUFFER_EXT;
        Ok(self.t.own(self.t.pipeline(&KernelInfo { code, flags, ..KernelInfo::default() }, layout)?))
    }

    unsafe fn address(&self, b: Buf) -> u64 {
        self.t.d.get_buffer_device_address(&vk::BufferDeviceAddressInfo::default().buffer(b.h))
    }

    /// Writes a descriptor of a set that stands at `base` in a descriptor buffer.
    unsafe fn put(
        &self,
        to: Buf,
        base: u64,
        layout: vk::DescriptorSetLayout,
        binding: u32,
        (ty, size): (D, usize),
        data: vk::DescriptorDataEXT<'_>,
    ) {
        let mut bytes = vec![0xab; size];
        let mut info = vk::DescriptorGetInfoEXT::default().ty(ty);
        info.data = data;
        self.ext.get_descriptor(&info, &mut bytes);
        let at = base + self.ext.get_descriptor_set_layout_binding_offset(layout, binding);
        to.put(at as usize, &bytes);
    }

    /// Writes a buffer descriptor.
    unsafe fn put_buffer(&self, to: Buf, base: u64, layout: vk::DescriptorSetLayout, binding: u32, b: B) {
        let (buf, size) = match b {
            B::U(b) => (b, self.props.uniform_buffer_descriptor_size),
            B::S(b) => (b, self.props.storage_buffer_descriptor_size),
            _ => return,
        };
        let info = vk::DescriptorAddressInfoEXT::default().address(self.address(buf)).range(buf.size);
        let data = match b {
            B::U(_) => vk::DescriptorDataEXT { p_uniform_buffer: &info },
            _ => vk::DescriptorDataEXT { p_storage_buffer: &info },
        };
        self.put(to, base, layout, binding, (b.ty(), size), data);
    }

    unsafe fn buffer(&self, size: u64) -> R<Buf> {
        let usage =
            vk::BufferUsageFlags::RESOURCE_DESCRIPTOR_BUFFER_EXT | vk::BufferUsageFlags::SAMPLER_DESCRIPTOR_BUFFER_EXT;
        let b = self.t.buf_for(size, usage)?;
        b.fill(0xcd);
        Ok(b)
    }

    unsafe fn bind(&self, c: vk::CommandBuffer, buffers: &[Buf]) {
        let usage = usage()
            | vk::BufferUsageFlags::SHADER_DEVICE_ADDRESS
            | vk::BufferUsageFlags::RESOURCE_DESCRIPTOR_BUFFER_EXT
            | vk::BufferUsageFlags::SAMPLER_DESCRIPTOR_BUFFER_EXT;
        let infos: Vec<_> = buffers
            .iter()
            .map(|b| vk::DescriptorBufferBindingInfoEXT::default().address(self.address(*b)).usage(usage))
            .collect();
        self.ext.cmd_bind_descriptor_buffers(c, &infos);
    }
}

const TWO: [D; 4] = [D::STORAGE_BUFFER, D::STORAGE_BUFFER, D::UNIFORM_BUFFER, D::STORAGE_BUFFER];

unsafe fn descriptor_buffer_sets() -> R {
    let db = descriptor_buffers()?;
    let t = &db.t;
    let bindings: Vec<_> = (0u32..).zip(TWO).map(|(i, ty)| binding(i, ty, 1)).collect();
    let l = db.layout(vk::DescriptorSetLayoutCreateFlags::empty(), &bindings)?;
    let pl = t.layout(&[l], 0)?;
    let p = db.pipeline(spv!("two"), pl)?;
    let size = db.ext.get_descriptor_set_layout_size(l);
    let align = db.props.descriptor_buffer_offset_alignment;
    let second = size.next_multiple_of(align);
    let [a, b, u, o] = two(t)?;
    let (o2, o3) = (t.zeros(256)?, t.zeros(256)?);
    let (sets, other) = (db.buffer(second + size)?, db.buffer(size)?);
    for (to, base, out) in [(sets, 0, o), (sets, second, o2), (other, 0, o3)] {
        for (i, b) in (0u32..).zip([B::S(a), B::S(b), B::U(u), B::S(out)]) {
            db.put_buffer(to, base, l, i, b);
        }
    }
    t.now(|c| {
        t.d.cmd_bind_pipeline(c, POINT, p);
        db.bind(c, &[sets, other]);
        for (index, offset) in [(0u32, 0), (0, second), (1, 0)] {
            db.ext.cmd_set_descriptor_buffer_offsets(c, POINT, pl, 0, &[index], &[offset]);
            t.d.cmd_dispatch(c, 2, 1, 1);
        }
    })?;
    for out in [o, o2, o3] {
        equal(&out.get::<u32>(), &two_want())?;
    }
    Ok(())
}

unsafe fn descriptor_buffer_embedded_samplers() -> R {
    let db = descriptor_buffers()?;
    let t = &db.t;
    let usage = vk::ImageUsageFlags::SAMPLED | vk::ImageUsageFlags::TRANSFER_DST;
    let i = t.image(&images::flat(vk::Format::R8G8B8A8_UNORM, 4, 1).usage(usage))?;
    images::upload(t, &i, t.buf_of(&[0xff00_0033u32, 0x0000_ff00, 0x00ff_0000, 0xffff_ffff])?)?;
    let view = t.view(&i, vk::ImageViewType::TYPE_2D)?;
    let plain = t.own(t.d.create_sampler(&vk::SamplerCreateInfo::default(), None)?);
    // (An immutable sampler may not have a custom border colour.)
    let mode = vk::SamplerAddressMode::CLAMP_TO_BORDER;
    let info = vk::SamplerCreateInfo::default()
        .address_mode_u(mode)
        .address_mode_v(mode)
        .address_mode_w(mode)
        .border_color(vk::BorderColor::FLOAT_OPAQUE_WHITE);
    let outside = t.own(t.d.create_sampler(&info, None)?);
    let l = db.layout(
        vk::DescriptorSetLayoutCreateFlags::empty(),
        &[binding(0, D::SAMPLED_IMAGE, 1), binding(1, D::STORAGE_BUFFER, 1)],
    )?;
    let (s0, s1) = ([outside], [plain]);
    let embedded = db.layout(
        vk::DescriptorSetLayoutCreateFlags::EMBEDDED_IMMUTABLE_SAMPLERS_EXT,
        &[binding(0, D::SAMPLER, 1).immutable_samplers(&s0), binding(3, D::SAMPLER, 1).immutable_samplers(&s1)],
    )?;
    let pl = t.layout(&[l, embedded], 0)?;
    let p = db.pipeline(spv!("embedded"), pl)?;
    let o = t.zeros(128)?;
    let set = db.buffer(db.ext.get_descriptor_set_layout_size(l))?;
    let image = vk::DescriptorImageInfo {
        sampler: vk::Sampler::null(),
        image_view: view,
        image_layout: vk::ImageLayout::GENERAL,
    };
    let data = vk::DescriptorDataEXT { p_sampled_image: &image };
    db.put(set, 0, l, 0, (D::SAMPLED_IMAGE, db.props.sampled_image_descriptor_size), data);
    db.put_buffer(set, 0, l, 1, B::S(o));
    t.now(|c| {
        t.d.cmd_bind_pipeline(c, POINT, p);
        db.bind(c, &[set]);
        db.ext.cmd_set_descriptor_buffer_offsets(c, POINT, pl, 0, &[0], &[0]);
        db.ext.cmd_bind_descriptor_buffer_embedded_samplers(c, POINT, pl, 1);
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    let got = o.get::<[f32; 4]>();
    let want = [[0.2, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [1.0; 4]];
    for (g, w) in got.iter().zip(want.iter().chain(&[[1.0; 4]; 4])) {
        check!(images::near(g, w, 1e-5), "{g:?}, should be {w:?}");
    }
    Ok(())
}

unsafe fn descriptor_buffer_push() -> R {
    // Pushed descriptors in one set beside a descriptor buffer in another: `sets.comp` has set 0 pushed.
    let db = descriptor_buffers()?;
    let t = &db.t;
    need!(t.has(ash::khr::push_descriptor::NAME), "VK_KHR_push_descriptor");
    need!(t.features.descriptor_buffer.descriptor_buffer_push_descriptors != 0, "descriptorBufferPushDescriptors");
    need!(db.props.bufferless_push_descriptors != 0, "bufferlessPushDescriptors");
    let push = ash::khr::push_descriptor::Device::new(t.instance(), &t.d);
    let first = db.layout(
        vk::DescriptorSetLayoutCreateFlags::PUSH_DESCRIPTOR_KHR,
        &[binding(0, D::UNIFORM_BUFFER, 1), binding(1, D::STORAGE_BUFFER, 1)],
    )?;
    let second = db.layout(vk::DescriptorSetLayoutCreateFlags::empty(), &[binding(3, D::STORAGE_BUFFER, 4)])?;
    let pl = t.layout(&[first, second], 0)?;
    let p = db.pipeline(spv!("sets"), pl)?;
    let o = t.zeros(1024)?;
    let which: Vec<u32> = [3u32, 0, 2, 1, 1, 2, 0, 3].iter().flat_map(|w| [*w, 0, 0, 0]).collect();
    let u = t.buf_of(&which)?;
    let set = db.buffer(db.ext.get_descriptor_set_layout_size(second))?;
    for e in 0..4u64 {
        let data: Vec<u32> = (0..256).map(|i| e as u32 * 10_000 + i).collect();
        // Elements of an array follow each other at the size of a descriptor.
        let at = e * db.props.storage_buffer_descriptor_size as u64;
        db.put_buffer(set, at, second, 3, B::S(t.buf_of(&data)?));
    }
    let whole = |b: Buf| [vk::DescriptorBufferInfo { buffer: b.h, offset: 0, range: vk::WHOLE_SIZE }];
    let (iu, io) = (whole(u), whole(o));
    let write = |at, ty, info| vk::WriteDescriptorSet::default().dst_binding(at).descriptor_type(ty).buffer_info(info);
    t.now(|c| {
        t.d.cmd_bind_pipeline(c, POINT, p);
        db.bind(c, &[set]);
        db.ext.cmd_set_descriptor_buffer_offsets(c, POINT, pl, 1, &[0], &[0]);
        let writes = [write(0, D::UNIFORM_BUFFER, &iu), write(1, D::STORAGE_BUFFER, &io)];
        push.cmd_push_descriptor_set(c, POINT, pl, 0, &writes);
        t.d.cmd_dispatch(c, 8, 1, 1);
    })?;
    let want: Vec<u32> = (0..256u32)
        .map(|i| {
            let w = which[i as usize / 32 * 4];
            w * 10_000 + i + w
        })
        .collect();
    equal(&o.get::<u32>(), &want)
}

// ---- captured addresses ----

unsafe fn captured_addresses() -> R {
    let t = T::new(&[])?;
    need!(t.features.v12.buffer_device_address_capture_replay != 0, "bufferDeviceAddressCaptureReplay");
    let size = 3 << 20;
    let make = |buffer_address: u64, memory_address: u64| -> R<(vk::Buffer, vk::DeviceMemory)> {
        let mut at = vk::BufferOpaqueCaptureAddressCreateInfo::default().opaque_capture_address(buffer_address);
        let info = vk::BufferCreateInfo::default()
            .size(size)
            .usage(usage() | vk::BufferUsageFlags::SHADER_DEVICE_ADDRESS)
            .flags(vk::BufferCreateFlags::DEVICE_ADDRESS_CAPTURE_REPLAY)
            .push_next(&mut at);
        let b = t.d.create_buffer(&info, None)?;
        let r = t.d.get_buffer_memory_requirements(b);
        let mut flags = vk::MemoryAllocateFlagsInfo::default()
            .flags(vk::MemoryAllocateFlags::DEVICE_ADDRESS | vk::MemoryAllocateFlags::DEVICE_ADDRESS_CAPTURE_REPLAY);
        let mut at = vk::MemoryOpaqueCaptureAddressAllocateInfo::default().opaque_capture_address(memory_address);
        let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(r.size)
            .memory_type_index(t.memory_type(r.memory_type_bits, host)?)
            .push_next(&mut flags)
            .push_next(&mut at);
        let memory = t.d.allocate_memory(&info, None)?;
        t.d.bind_buffer_memory(b, memory, 0)?;
        Ok((b, memory))
    };
    let ask = |(b, m): (vk::Buffer, vk::DeviceMemory)| {
        let info = vk::BufferDeviceAddressInfo::default().buffer(b);
        let memory = vk::DeviceMemoryOpaqueCaptureAddressInfo::default().memory(m);
        (
            t.d.get_buffer_device_address(&info),
            t.d.get_buffer_opaque_capture_address(&info),
            t.d.get_device_memory_opaque_capture_address(&memory),
        )
    };
    let destroy = |(b, m): (vk::Buffer, vk::DeviceMemory)| {
        t.d.destroy_buffer(b, None);
        t.d.free_memory(m, None);
    };
    let first: Vec<_> = (0..6).map(|_| make(0, 0)).collect::<R<_>>()?;
    let captured: Vec<_> = first.iter().map(|b| ask(*b)).collect();
    first.into_iter().for_each(destroy);
    // Other memory comes and goes in between; what was captured comes back in another order.
    let _other = t.zeros(1 << 20)?;
    let mut again: Vec<_> = captured.iter().rev().map(|c| make(c.1, c.2).map(|b| (*c, b))).collect::<R<_>>()?;
    for (want, b) in &again {
        same!(ask(*b), *want);
    }
    // The memory is usable by host and device.
    let (_, (b, m)) = again[2];
    let at = t.d.map_memory(m, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast();
    let buf = Buf { h: b, mem: m, size, at };
    buf.put(0, &[5u32; 64]);
    let k = t.kernel(spv!("affine"), &[D::STORAGE_BUFFER], 16)?;
    let set = t.set(k.set_layout, &[B::S(buf)])?;
    t.now(|c| {
        t.bind(c, &k, set, &words(&[0, 64, 10, 1]));
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    equal(&buf.get::<u32>()[..64], &[51; 64])?;
    // An address that is taken is refused.
    let (taken, _) = again[0];
    let mut at = vk::MemoryOpaqueCaptureAddressAllocateInfo::default().opaque_capture_address(taken.2);
    let mut flags = vk::MemoryAllocateFlagsInfo::default()
        .flags(vk::MemoryAllocateFlags::DEVICE_ADDRESS | vk::MemoryAllocateFlags::DEVICE_ADDRESS_CAPTURE_REPLAY);
    let info = vk::MemoryAllocateInfo::default()
        .allocation_size(size)
        .memory_type_index(0)
        .push_next(&mut flags)
        .push_next(&mut at);
    match t.d.allocate_memory(&info, None) {
        Ok(m) => {
            t.d.free_memory(m, None);
            fail!("memory was allocated twice at one address");
        }
        Err(e) => same!(e, vk::Result::ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS),
    }
    again.drain(..).for_each(|(_, b)| destroy(b));
    Ok(())
}
