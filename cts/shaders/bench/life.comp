#version 450
// Conway's game of life on a torus of n×n (a power of two), a cell per word.
layout(local_size_x = 32, local_size_y = 8) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) writeonly buffer B { uint b[]; };
layout(push_constant) uniform P { uint n; };
void main() {
    uvec2 p = gl_GlobalInvocationID.xy;
    uint around = 0;
    for (int j = -1; j <= 1; ++j) {
        for (int i = -1; i <= 1; ++i) {
            if (i != 0 || j != 0) {
                around += a[((p.y + j) & (n - 1)) * n + ((p.x + i) & (n - 1))];
            }
        }
    }
    uint self = a[p.y * n + p.x];
    b[p.y * n + p.x] = uint(around == 3 || (around == 2 && self == 1));
}
