// Take a picture with the camera, in a dialog.

const dialog = document.getElementById("camera");
const video = document.getElementById("video");

/** Show what the camera sees until a picture is taken; return it as a JPEG, or null if the user cancels. */
export async function takePicture() {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: 640, height: 480 } });
  video.srcObject = stream;
  dialog.returnValue = "";
  dialog.showModal();
  try {
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    return dialog.returnValue === "taken" && video.videoWidth ? await square() : null;
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  }
}

/** The middle of the current frame. */
function square() {
  const side = Math.min(video.videoWidth, video.videoHeight);
  const canvas = new OffscreenCanvas(side, side);
  const [x, y] = [(video.videoWidth - side) / 2, (video.videoHeight - side) / 2];
  canvas.getContext("2d").drawImage(video, x, y, side, side, 0, 0, side, side);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}

document.getElementById("shoot").addEventListener("click", () => dialog.close("taken"));
document.getElementById("close-camera").addEventListener("click", () => dialog.close());
