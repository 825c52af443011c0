#version 450
layout(local_size_x = 16) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
uint find(uint key) {
    for (uint a = 0; a < 4u; ++a) {
        for (uint b = 0; b < 4u; ++b) {
            uint v = a * 5u + b * 3u;
            if (v == key) return a * 10u + b;
            switch (v & 3u) {
            case 0u: if (b == 2u) continue; break;
            case 1u: for (uint c = 0; ; ++c) { if (c + v > key) break; if (c == 2u) return 900u + c; } break;
            default: break;
            }
            if (v > key + 4u) break;
        }
    }
    return 999u;
}
void main() {
    uint i = gl_LocalInvocationIndex, acc = 0u, last = 0u;
    while (acc < 50u) {
        uint t = acc * 3u + i;
        if ((t & 1u) == 0u) { acc += 3u; if (t % 7u == 0u) continue; } else acc += 5u;
        last = t;
        if (t > 100u) { last += 1000u; break; }
    }
    o[i * 2u] = find(i * 2u); o[i * 2u + 1u] = last * 100u + acc;
}
