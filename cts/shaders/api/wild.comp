#version 450
// target: vulkan1.2
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
// Accesses that go astray, and loops without an end: what is done, and where, comes by push constant.
layout(local_size_x = 32) in;
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Word { uint v; };
layout(buffer_reference, std430, buffer_reference_align = 16) buffer Quad { uvec4 v; };
layout(push_constant) uniform Push { uvec2 where; uint what; uint stride; Word good; };
shared uint together;
void main() {
    uint lane = gl_LocalInvocationIndex;
    uint carry;
    uvec2 at = uvec2(uaddCarry(where.x, lane * stride, carry), 0);
    at.y = where.y + carry;
    // Where one lane alone goes astray, the others stay where memory is.
    bool astray = lane == 7;
    switch (what) {
        case 0: good.v = Word(at).v; break;
        case 1: Word(at).v = 5; break;
        case 2: atomicAdd(Word(at).v, 1); break;
        case 3: good.v = atomicCompSwap(Word(at).v, 1, 2); break;
        case 4: good.v = Quad(at).v.z; break;
        case 5: Quad(at).v = uvec4(lane); break;
        case 6: if (astray) good.v = Word(at).v; break;
        case 7: if (astray) Word(at).v = 5; break;
        case 8: if (astray) atomicMax(Word(at).v, 5); break;
        // Loops: nothing but arithmetic; until a word changes; in one lane; with all of them at a barrier.
        case 16: { uint x = lane; while (x != 3u * lane + 0x80000001u || lane < 64) x = x * 5 + 2; good.v = x; break; }
        case 17: while (atomicAdd(good.v, 0) != 1) {} break;
        case 18: { uint x = 0; while (astray) x++; good.v = x; break; }
        case 19: do { together = good.v; barrier(); } while (together != 1); break;
        default: good.v = 77;
    }
}
