#version 450
// A stack machine: each invocation interprets one of 16 programs of 64 instructions, with a stack of its own.
layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer C { uint code[]; };
layout(std430, binding = 1) readonly buffer A { uint a[]; };
layout(std430, binding = 2) writeonly buffer B { uint b[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    uint x = a[i];
    uint base = (x >> 28) * 64;
    uint stack[8];
    uint top = 0;
    stack[0] = x;
    for (uint pc = 0; pc < 64; ++pc) {
        uint word = code[base + pc];
        uint operand = word >> 8;
        switch (word & 7u) {
        case 0:
            top = min(top + 1, 7u);
            stack[top] = operand;
            break;
        case 1:
            if (top > 0) {
                stack[top - 1] += stack[top];
                --top;
            }
            break;
        case 2:
            if (top > 0) {
                stack[top - 1] *= stack[top] | 1u;
                --top;
            }
            break;
        case 3:
            stack[top] ^= stack[top] >> (operand & 31u);
            break;
        case 4: {
            uint t = stack[top];
            top = min(top + 1, 7u);
            stack[top] = t;
            break;
        }
        case 5:
            if ((stack[top] & 1u) != 0) {
                ++pc;
            }
            break;
        case 6:
            stack[top] = ~stack[top] + operand;
            break;
        default:
            stack[top] += x;
            break;
        }
    }
    b[i] = stack[top];
}
