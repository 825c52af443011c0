#version 460
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference2 : require
#extension GL_EXT_buffer_reference_uvec2 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
layout(local_size_x = 1) in;
layout(buffer_reference) buffer Node;
layout(buffer_reference, std430, buffer_reference_align = 8) buffer Node { uint value; Node next; };
layout(buffer_reference, std430) buffer Data { vec4 v; uint a[4]; };
layout(std430, binding = 0) buffer Out { uint o[8]; };
layout(push_constant) uniform Push { Node head; Data data; uint64_t raw; };
uint sum(Node n) {
    uint s = 0;
    for (int i = 0; i < 8 && uint64_t(n) != 0ul; ++i) { s = s * 10u + n.value; n = n.next; }
    return s;
}
void main() {
    o[0] = sum(head);
    data.v.yz = vec2(3.0, 4.0);
    data.a[o[1] & 3u] = 9u;
    Data d = Data(raw);
    o[2] = d.a[1] + uint(uint64_t(data) == raw);
    o[3] = atomicAdd(d.a[2], 5u);
    Node second = head + 1;
    o[4] = uint(uint64_t(second) - uint64_t(head));
    uvec2 parts = uvec2(head);
    o[5] = parts.y;
    Node local[2] = Node[2](head, head.next);
    o[6] = local[o[1] & 1u].value;
}
