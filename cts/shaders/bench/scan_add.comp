#version 450
// Adds to each block of 1024 words the sums of those before it.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer B { uint b[]; };
layout(std430, binding = 1) readonly buffer S { uint sums[]; };
void main() {
    uint block = gl_WorkGroupID.x + 1;
    uint before = sums[gl_WorkGroupID.x];
    for (uint k = 0; k < 4; ++k) {
        b[block * 1024 + k * 256 + gl_LocalInvocationID.x] += before;
    }
}
