#version 450
// target: vulkan1.2
#extension GL_EXT_nonuniform_qualifier : require
// A run-time sized array of storage buffers, indexed non-uniformly.
layout(local_size_x = 32) in;
layout(push_constant) uniform Push { uint count; };
layout(std430, set = 0, binding = 0) buffer O { uint o[]; };
layout(std430, set = 0, binding = 1) readonly buffer In { uint v[]; } ins[];
void main() {
    uint i = gl_GlobalInvocationID.x;
    uint w = (i * 7) % count;
    o[i] = ins[nonuniformEXT(w)].v[i];
}
