//! A small compute kernel and what it needs.

use super::World;
use ash::vk;
use rspirv::binary::Assemble;
use rspirv::dr;
use rspirv::spirv;

/// `data[i] = data[i] * 3 + push`, workgroups of 64; with `bad` an instruction no compute kernel may have.
pub fn shader(bad: bool) -> Vec<u32> {
    let mut b = dr::Builder::new();
    b.set_version(1, 3);
    b.capability(spirv::Capability::Shader);
    b.memory_model(spirv::AddressingModel::Logical, spirv::MemoryModel::GLSL450);
    let void = b.type_void();
    let u32_t = b.type_int(32, 0);
    let vec3 = b.type_vector(u32_t, 3);
    let array = b.type_runtime_array(u32_t);
    b.decorate(array, spirv::Decoration::ArrayStride, [dr::Operand::LiteralBit32(4)]);
    let block = b.type_struct([array]);
    b.decorate(block, spirv::Decoration::Block, []);
    b.member_decorate(block, 0, spirv::Decoration::Offset, [dr::Operand::LiteralBit32(0)]);
    let push_t = b.type_struct([u32_t]);
    b.decorate(push_t, spirv::Decoration::Block, []);
    b.member_decorate(push_t, 0, spirv::Decoration::Offset, [dr::Operand::LiteralBit32(0)]);
    let block_p = b.type_pointer(None, spirv::StorageClass::StorageBuffer, block);
    let word_p = b.type_pointer(None, spirv::StorageClass::StorageBuffer, u32_t);
    let push_p = b.type_pointer(None, spirv::StorageClass::PushConstant, push_t);
    let push_word_p = b.type_pointer(None, spirv::StorageClass::PushConstant, u32_t);
    let id_p = b.type_pointer(None, spirv::StorageClass::Input, vec3);
    let word_in_p = b.type_pointer(None, spirv::StorageClass::Input, u32_t);
    let data = b.variable(block_p, None, spirv::StorageClass::StorageBuffer, None);
    b.decorate(data, spirv::Decoration::DescriptorSet, [dr::Operand::LiteralBit32(0)]);
    b.decorate(data, spirv::Decoration::Binding, [dr::Operand::LiteralBit32(0)]);
    let push = b.variable(push_p, None, spirv::StorageClass::PushConstant, None);
    let id = b.variable(id_p, None, spirv::StorageClass::Input, None);
    b.decorate(id, spirv::Decoration::BuiltIn, [dr::Operand::BuiltIn(spirv::BuiltIn::GlobalInvocationId)]);
    let zero = b.constant_bit32(u32_t, 0);
    let three = b.constant_bit32(u32_t, 3);
    let fn_t = b.type_function(void, []);
    let main = b.begin_function(void, None, spirv::FunctionControl::NONE, fn_t).expect("function");
    b.begin_block(None).expect("block");
    let x_p = b.access_chain(word_in_p, None, id, [zero]).expect("chain");
    let x = b.load(u32_t, None, x_p, None, []).expect("load");
    let p = b.access_chain(word_p, None, data, [zero, x]).expect("chain");
    let old = b.load(u32_t, None, p, None, []).expect("load");
    let scaled = b.i_mul(u32_t, None, old, three).expect("mul");
    let add_p = b.access_chain(push_word_p, None, push, [zero]).expect("chain");
    let add = b.load(u32_t, None, add_p, None, []).expect("load");
    let sum = b.i_add(u32_t, None, scaled, add).expect("add");
    b.store(p, sum, None, []).expect("store");
    if bad {
        b.emit_vertex().expect("emit");
    }
    b.ret().expect("return");
    b.end_function().expect("function");
    b.entry_point(spirv::ExecutionModel::GLCompute, main, "main", [id]);
    b.execution_mode(main, spirv::ExecutionMode::LocalSize, [64, 1, 1]);
    b.module().assemble()
}

pub struct Kernel {
    pub set_layout: vk::DescriptorSetLayout,
    pub layout: vk::PipelineLayout,
    pub module: vk::ShaderModule,
}

impl Kernel {
    pub fn new(w: &World, code: &[u32], flags: vk::DescriptorSetLayoutCreateFlags) -> Self {
        let binding = [vk::DescriptorSetLayoutBinding::default()
            .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
            .descriptor_count(1)
            .stage_flags(vk::ShaderStageFlags::COMPUTE)];
        let push = [vk::PushConstantRange { stage_flags: vk::ShaderStageFlags::COMPUTE, offset: 0, size: 4 }];
        // SAFETY: valid usage.
        unsafe {
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&binding).flags(flags);
            let set_layout = w.device.create_descriptor_set_layout(&info, None).expect("set layout");
            let sets = [set_layout];
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets).push_constant_ranges(&push);
            let layout = w.device.create_pipeline_layout(&info, None).expect("layout");
            let module =
                w.device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(code), None).expect("module");
            Self { set_layout, layout, module }
        }
    }

    pub fn pipeline(&self, w: &World) -> Result<vk::Pipeline, vk::Result> {
        self.pipeline_with(w, vk::PipelineCreateFlags::empty())
    }

    pub fn pipeline_with(&self, w: &World, flags: vk::PipelineCreateFlags) -> Result<vk::Pipeline, vk::Result> {
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(self.module)
            .name(c"main");
        let info = [vk::ComputePipelineCreateInfo::default().stage(stage).layout(self.layout).flags(flags)];
        // SAFETY: valid usage.
        match unsafe { w.device.create_compute_pipelines(vk::PipelineCache::null(), &info, None) } {
            Ok(p) => Ok(p[0]),
            Err((p, e)) => {
                assert_eq!(p, [vk::Pipeline::null()]);
                Err(e)
            }
        }
    }

    pub fn destroy(self, w: &World) {
        // SAFETY: used no more.
        unsafe {
            w.device.destroy_shader_module(self.module, None);
            w.device.destroy_pipeline_layout(self.layout, None);
            w.device.destroy_descriptor_set_layout(self.set_layout, None);
        }
    }
}
