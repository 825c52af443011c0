#version 450
// Sum of n words: each workgroup strides over the grid and leaves one partial sum.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) writeonly buffer B { uint b[]; };
layout(push_constant) uniform P { uint n; };
shared uint part[256];
void main() {
    uint l = gl_LocalInvocationID.x;
    uint sum = 0;
    for (uint i = gl_GlobalInvocationID.x; i < n; i += gl_NumWorkGroups.x * 256) {
        sum += a[i];
    }
    part[l] = sum;
    barrier();
    for (uint s = 128; s > 0; s >>= 1) {
        if (l < s) {
            part[l] += part[l + s];
        }
        barrier();
    }
    if (l == 0) {
        b[gl_WorkGroupID.x] = part[0];
    }
}
