// Two pictures compared by the mean colour of small squares: by how much each differs
// that does so by `least`, at the best of shifts by a pixel, which is what a font's hinting moves.

async ([before, after, size, least]) => {
  const pixels = async (picture) => {
    const bytes = Uint8Array.from(atob(picture), (one) => one.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    return canvas.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height);
  };
  const [one, other] = await Promise.all([before, after].map(pixels));
  const { width, height } = one;
  if (other.width !== width || other.height !== height) return [[0, 0, 255]];
  const means = ({ data }, left, top) => {
    const sums = [0, 0, 0];
    let count = 0;
    for (let y = Math.max(top, 0); y < Math.min(top + size, height); y += 1) {
      for (let x = Math.max(left, 0); x < Math.min(left + size, width); x += 1) {
        for (let channel = 0; channel < 3; channel += 1) sums[channel] += data[4 * (y * width + x) + channel];
        count += 1;
      }
    }
    return sums.map((sum) => sum / count);
  };
  const found = [];
  for (let top = 0; top < height; top += size) {
    for (let left = 0; left < width; left += size) {
      const was = means(one, left, top);
      let by = 255;
      for (const [right, down] of [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]) {
        const is = means(other, left + right, top + down);
        by = Math.min(by, Math.max(...was.map((value, channel) => Math.abs(value - is[channel]))));
        if (by < least) break;
      }
      if (by >= least) found.push([left, top, by]);
    }
  }
  return found;
};
