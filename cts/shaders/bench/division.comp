#version 450
// Modular powers by square and multiply with real divisions: a[i]^exponent mod p[i].
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) readonly buffer M { uint p[]; };
layout(std430, binding = 2) writeonly buffer B { uint b[]; };
layout(push_constant) uniform P { uint exponent; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    uint m = p[i], x = a[i] % m, r = 1;
    for (uint e = exponent; e > 0; e >>= 1) {
        if ((e & 1u) != 0) {
            r = r * x % m;
        }
        x = x * x % m;
    }
    b[i] = r;
}
