/**
 * `ceil(numerator / denominator)` for non-negative safe integers, exact. `Math.ceil` of the float quotient is not: near
 * 2^53 the quotient rounds to the integer below and a remainder is lost.
 */
export function ceilDivide(numerator: number, denominator: number): number {
  const remainder = numerator % denominator;
  return (numerator - remainder) / denominator + (remainder === 0 ? 0 : 1);
}
