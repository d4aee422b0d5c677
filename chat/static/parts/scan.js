// Reads a QR code from a picture or the camera, where the browser can; it is asked first.
import { html, useLayoutEffect, useRef, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { Button } from "./button.js";
import { Notice } from "./notice.js";

const LOOK_EVERY_MS = 250;

/** Whether this browser reads QR codes. */
export async function canScan() {
  const formats = await window.BarcodeDetector?.getSupportedFormats?.();
  return formats?.includes("qr_code") ?? false;
}

/** Buttons for a file and the camera; nothing where the browser can't. `onRead` hears the code's text. */
export function Scan({ onRead }) {
  const [possible, setPossible] = useState(false);
  const [looking, setLooking] = useState(false);
  const [problem, setProblem] = useState("");
  const file = useRef(null);
  const video = useRef(null);
  useLayoutEffect(() => {
    canScan().then(setPossible, () => setPossible(false));
  }, []);
  useLayoutEffect(() => {
    if (!looking) return undefined;
    let stream = null;
    let timer = 0;
    let over = false;
    const detector = new window.BarcodeDetector({ formats: ["qr_code"] });
    const look = async () => {
      const [code] = await detector.detect(video.current).catch(() => []);
      if (over) return;
      if (code) {
        setLooking(false);
        onRead(code.rawValue);
      } else timer = window.setTimeout(look, LOOK_EVERY_MS);
    };
    navigator.mediaDevices
      ?.getUserMedia({ video: { facingMode: "environment" } })
      .then(async (opened) => {
        stream = opened;
        if (over) return stream.getTracks().forEach((track) => track.stop());
        video.current.srcObject = stream;
        await video.current.play();
        look();
      })
      .catch(() => {
        setLooking(false);
        setProblem("scan.no_camera");
      });
    return () => {
      over = true;
      window.clearTimeout(timer);
      stream?.getTracks().forEach((track) => track.stop());
    };
  }, [looking]);
  if (!possible) return null;
  const readFile = async (event) => {
    setProblem("");
    try {
      const picture = await createImageBitmap(event.target.files[0]);
      const [code] = await new window.BarcodeDetector({ formats: ["qr_code"] }).detect(picture);
      if (code) onRead(code.rawValue);
      else setProblem("scan.nothing");
    } catch {
      setProblem("scan.nothing");
    }
  };
  return html`<div class="scan">
    <div class="row">
      <${Button} icon="file" onClick=${() => file.current.click()}>${t("scan.file")}<//>
      <${Button} icon="camera" onClick=${() => setLooking(!looking)}>${looking ? t("scan.stop") : t("scan.camera")}<//>
    </div>
    <input ref=${file} type="file" accept="image/*" hidden onChange=${readFile} />
    ${looking && html`<video ref=${video} muted playsinline aria-label=${t("scan.camera")} />`}
    <${Notice} kind="bad">${problem && t(problem)}<//>
  </div>`;
}
