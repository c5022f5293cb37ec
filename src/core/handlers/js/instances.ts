type Class = abstract new (...args: never) => unknown;

/**
 * Lets `instanceof` of a class that stands in for the platform's say yes to what the platform has made, too; its
 * heirs' instances are their own alone.
 */
export function countPlatformInstances(own: Class, platform: Class): void {
  Object.defineProperty(own, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      const isHeir = this !== own;
      return isHeir ? Function.prototype[Symbol.hasInstance].call(this, value) : value instanceof platform;
    },
  });
}
