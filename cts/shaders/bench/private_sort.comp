#version 450
// Median of 15 numbers by insertion into an array of the invocation's own, indexed dynamically; number k of set i at k·n + i.
layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) writeonly buffer B { uint b[]; };
layout(push_constant) uniform P { uint n; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    uint v[15];
    for (int k = 0; k < 15; ++k) {
        uint x = a[k * n + i];
        int j = k;
        while (j > 0 && v[j - 1] > x) {
            v[j] = v[j - 1];
            --j;
        }
        v[j] = x;
    }
    b[i] = v[7];
}
