#version 450
layout(local_size_x = 8) in;
layout(std430, binding = 0) buffer Out { float o[]; };
layout(std430, binding = 1) readonly buffer In { float a[]; };
void main() {
    uint i = gl_LocalInvocationIndex, n = i * 64u;
    float x = a[i], y = a[(i + 3u) & 7u];
    o[n++] = round(x); o[n++] = roundEven(x); o[n++] = trunc(x); o[n++] = abs(x); o[n++] = sign(x); o[n++] = floor(x); o[n++] = ceil(x); o[n++] = fract(x);
    o[n++] = radians(x); o[n++] = degrees(x); o[n++] = sin(x); o[n++] = cos(x); o[n++] = tan(x); o[n++] = asin(x * 0.01); o[n++] = acos(x * 0.01); o[n++] = atan(x);
    o[n++] = sinh(x); o[n++] = cosh(x); o[n++] = tanh(x); o[n++] = asinh(x); o[n++] = acosh(abs(x) + 1.0); o[n++] = atanh(x * 0.01); o[n++] = atan(y, x); o[n++] = pow(abs(x), y);
    o[n++] = exp(x); o[n++] = log(abs(x)); o[n++] = exp2(x); o[n++] = log2(abs(x)); o[n++] = sqrt(abs(x)); o[n++] = inversesqrt(abs(x)); o[n++] = min(x, y); o[n++] = max(x, y);
    o[n++] = clamp(x, -1.0, 2.0); o[n++] = mix(x, y, 0.25); o[n++] = step(x, y); o[n++] = smoothstep(-3.0, 3.0, x); o[n++] = fma(x, y, 1.0); o[n++] = ldexp(x, 3); o[n++] = mod(x, 1.5); o[n++] = x / y;
    vec3 p = vec3(x, y, 1.0), q = normalize(vec3(y, 2.0, x));
    o[n++] = length(p); o[n++] = distance(p, q); o[n++] = cross(p, q).y; o[n++] = q.z; o[n++] = faceforward(p, q, p).x; o[n++] = reflect(p, q).y; o[n++] = refract(normalize(p), q, 0.7).z; o[n++] = length(x);
    int e; float m = frexp(x, e); o[n++] = m; o[n++] = float(e);
    float w; float f = modf(x, w); o[n++] = f; o[n++] = w;
    o[n++] = float(isnan(x)) + 2.0 * float(isinf(y)); o[n++] = float(x < y) + 2.0 * float(x >= y) + 4.0 * float(x == y) + 8.0 * float(x != y);
    o[n++] = float(int(x)) + float(uint(abs(y))); precise float z = x * y + 1.0; o[n++] = z; o[n++] = -x;
}
