#version 450
layout(local_size_x = 4) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
struct In { float x; uint k[2]; };
layout(std430, binding = 1) buffer Src { uint n; In items[2][3]; } src;
layout(std140, binding = 2) uniform Copy { In items[2][3]; } ubo;
void main() {
    uint i = gl_LocalInvocationIndex;
    In local[2][3] = src.items;
    local[i & 1u][i % 3u].k[1] += 5u;
    In row[3] = local[1];
    float f = 0.0; uint k = 0;
    for (int a = 0; a < 2; ++a) for (int b = 0; b < 3; ++b) { f += local[a][b].x * float(a * 3 + b + 1); k = k * 3u + local[a][b].k[1]; }
    o[i * 4u] = floatBitsToUint(f); o[i * 4u + 1u] = k; o[i * 4u + 2u] = row[i % 3u].k[0] + src.n; o[i * 4u + 3u] = ubo.items[1][2].k[1] + ubo.items[0][i % 3u].k[0];
    barrier();
    if (i == 2u) src.items = local;
}
