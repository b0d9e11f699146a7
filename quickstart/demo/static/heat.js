// Grad-CAM over the pixels that the models see.

// Four colors of the map "inferno", from little heat to much.
const COLORS = [[0, 0, 4], [120, 28, 109], [237, 105, 37], [252, 255, 164]];
const STRENGTH = 0.7;

/** Draw a gray copy of an image, colored by its heat [H][W]; the largest heat is the brightest. */
export function drawHeat(canvas, image, heat) {
  const { width, height } = canvas;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0, width, height);
  turnGray(pen, width, height);
  const largest = Math.max(...heat.flat());
  if (!largest) return;
  const small = new OffscreenCanvas(heat[0].length, heat.length);
  const pixels = new ImageData(small.width, small.height);
  heat.flat().forEach((value, i) => pixels.data.set([...color(value / largest), 255 * STRENGTH * (value / largest)], 4 * i));
  small.getContext("2d").putImageData(pixels, 0, 0);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(small, 0, 0, width, height);
}

/** Row and column, 0 to 2 each, of the hottest third of the image; null without heat. */
export function hottest(heat) {
  const largest = Math.max(...heat.flat());
  if (!largest) return null;
  const row = heat.findIndex((values) => values.includes(largest));
  const third = (index, count) => Math.min(2, Math.floor((3 * (index + 0.5)) / count));
  return [third(row, heat.length), third(heat[row].indexOf(largest), heat[row].length)];
}

function turnGray(pen, width, height) {
  const pixels = pen.getImageData(0, 0, width, height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const [red, green, blue] = pixels.data.slice(i, i + 3);
    pixels.data.fill(0.299 * red + 0.587 * green + 0.114 * blue, i, i + 3);
  }
  pen.putImageData(pixels, 0, 0);
}

function color(share) {
  const place = share * (COLORS.length - 1);
  const [low, high] = [COLORS[Math.floor(place)], COLORS[Math.ceil(place)]];
  return low.map((value, i) => value + (high[i] - value) * (place - Math.floor(place)));
}
