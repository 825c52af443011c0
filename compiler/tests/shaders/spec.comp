#version 450
layout(local_size_x_id = 0, local_size_y_id = 1) in;
layout(constant_id = 2) const uint N = 4;
layout(constant_id = 3) const bool FLAG = false;
layout(constant_id = 4) const float F = 1.5;
layout(constant_id = 5) const int M = -3;
const uint N2 = N * 2u + 1u;
const ivec2 V = ivec2(M, M / 2);
layout(std430, binding = 0) buffer Out { uint o[]; };
shared uint sh[N2];
void main() {
    uint i = gl_LocalInvocationIndex;
    uint a[N];
    for (uint k = 0; k < N; ++k) a[k] = k * k + i;
    sh[i % N2] = i;
    barrier();
    uint s = 0;
    for (uint k = 0; k < N; ++k) s += a[k];
    if (FLAG) { s += 1000u; if (M > 0) s += 5000u; } else if (M < -10) { s += 2000u; }
    switch (N) { case 4u: s += 10000u; break; case 6u: s += 20000u; break; default: s += 30000u; }
    o[i * 4u] = s; o[i * 4u + 1u] = floatBitsToUint(F * 2.0); o[i * 4u + 2u] = uint(V.x + V.y); o[i * 4u + 3u] = sh[i % N2] + gl_WorkGroupSize.x * 100u;
}
