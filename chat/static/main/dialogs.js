// Which dialog is open; there is at most one.
import { html, useRef } from "../base/html.js";
import { ConfirmDelete, ConfirmRemove } from "../dialogs/confirm.js";
import { Details } from "../dialogs/details.js";
import { Disappearing } from "../dialogs/disappearing.js";
import { Find } from "../dialogs/find.js";
import { Me } from "../dialogs/me.js";
import { OpenAddress } from "../dialogs/open_address.js";
import { Picture } from "../dialogs/picture.js";
import { DirectRoute } from "../dialogs/route.js";
import { Safety } from "../dialogs/safety.js";
import { Settings } from "../dialogs/settings.js";
import { hide } from "./show.js";

const DIALOGS = {
  address: OpenAddress,
  delete: ConfirmDelete,
  details: Details,
  disappearing: Disappearing,
  find: Find,
  me: Me,
  picture: Picture,
  remove: ConfirmRemove,
  route: DirectRoute,
  safety: Safety,
  settings: Settings,
};

export function DialogPlace({ dialog, state, home }) {
  const last = useRef(null); // the conversation may close while its dialog is still drawn
  last.current = state.open?.contact ?? last.current;
  if (!dialog) return null;
  const One = DIALOGS[dialog.which];
  return html`<${One} key=${dialog.which} ...${dialog} contact=${last.current} state=${state} home=${home} onClose=${hide} />`;
}
