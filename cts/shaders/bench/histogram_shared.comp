#version 450
// 256 bins: counted in workgroup memory, 32 elements per invocation, then added to the result.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) buffer H { uint h[]; };
layout(push_constant) uniform P { uint n; };
shared uint bins[256];
void main() {
    uint l = gl_LocalInvocationID.x;
    bins[l] = 0;
    barrier();
    uint at = gl_WorkGroupID.x * 256 * 32 + l;
    for (uint k = 0; k < 32; ++k) {
        uint i = at + k * 256;
        if (i < n) {
            atomicAdd(bins[a[i] & 255u], 1);
        }
    }
    barrier();
    atomicAdd(h[l], bins[l]);
}
