#version 450
layout(local_size_x = 16) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
uint pick(uint x) {
    uint r = 0;
    switch (x % 8u) {
    case 0u: r += 1u;
    case 1u: r += 10u; break;
    default: r += 100u;
    case 3u: r += 1000u; break;
    case 4u: return 7u;
    case 5u: if (x > 10u) break; r = 5u;
    case 6u: r += 3u; break;
    }
    return r + x;
}
uint loops(uint x) {
    uint s = 0;
    for (uint i = 0; i < x; ++i) {
        if (i == 3u) continue;
        uint j = 0;
        while (true) {
            j++;
            if (j > i) break;
            if ((j & 1u) == 1u) continue;
            s += j;
            if (s > 40u) return s * 2u;
        }
        do { s ^= j; j--; if (j == 2u) break; } while (j > 0u);
        switch (i) { case 5u: s += 9u; continue; case 7u: s += 11u; break; default: if (s == 12u) continue; }
        s += i;
    }
    return s;
}
uint chain(uint x) {
    if (x < 2u) return 1u; else if (x < 4u) return 2u; else if (x < 6u) { if (x == 5u) return 50u; } else if (x == 9u) return 3u;
    return x * 2u;
}
void main() {
    uint i = gl_LocalInvocationIndex;
    o[i * 4u] = pick(i);
    o[i * 4u + 1u] = loops(i);
    o[i * 4u + 2u] = chain(i);
    uint n = 0;
    for (;;) { n += 2u; if (n > i) { if (n > 2u * i) { n += 100u; break; } n++; } if (n > 25u) break; }
    o[i * 4u + 3u] = n;
}
