#version 450
// Sum of 256 values by a tree in shared memory, several times over with barriers in a loop.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer D { uint data[]; };
layout(std430, binding = 1) buffer O { uint o[]; };
layout(push_constant) uniform Push { uint rounds; };
shared uint s[256];
void main() {
    uint l = gl_LocalInvocationID.x;
    uint total = 0;
    for (uint r = 0; r < rounds; ++r) {
        s[l] = data[gl_GlobalInvocationID.x] + r;
        barrier();
        for (uint d = 128; d > 0; d >>= 1) {
            if (l < d) s[l] += s[l + d];
            barrier();
        }
        total += s[0];
        barrier();
    }
    if (l == 0) o[gl_WorkGroupID.x] = total;
}
