#version 450
// target: vulkan1.2
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
// A linked list through buffer addresses; the head comes by push constant.
layout(local_size_x = 32) in;
layout(buffer_reference, std430, buffer_reference_align = 8) buffer Node { uvec2 next; uint value; uint visits; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Out { uint o[]; };
layout(push_constant) uniform Push { Node head; Out result; };
void main() {
    uint s = 0;
    Node n = head;
    for (int k = 0; k < 100; ++k) {
        s += n.value * (gl_GlobalInvocationID.x + 1);
        atomicAdd(n.visits, 1);
        if (n.next == uvec2(0)) break;
        n = Node(n.next);
    }
    result.o[gl_GlobalInvocationID.x] = s;
}
