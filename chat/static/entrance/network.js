// Which node, and how to reach it. Both are tried at once, so that a choice that can't work says so here.
import { html, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { Notice } from "../parts/notice.js";
import { Scan } from "../parts/scan.js";
import { useAction } from "../parts/use_action.js";
import { Frame } from "./frame.js";

const OWN_CLIENT = "ws://127.0.0.1:1977";
const OF_CARD = ["card_invalid", "unsupported_version"];

export function Network({ home }) {
  const [card, setCard] = useState(home.node_card);
  const [own, setOwn] = useState(Boolean(home.mixnet) && home.mixnet !== "nym");
  const [address, setAddress] = useState(home.mixnet && home.mixnet !== "nym" ? home.mixnet : OWN_CLIENT);
  const [run, { busy, problem, code }] = useAction();
  const go = () =>
    run(() => model.ask("set_network", { node_card: card.trim(), mixnet: own ? address.trim() : "nym" }));
  const isCard = OF_CARD.includes(code);
  return html`<${Frame} title=${t("welcome.title")} lead=${t("welcome.lead")} home=${home} onSubmit=${go}>
    <${Field}
      label=${t("network.card")}
      hint=${t("network.card_hint")}
      lines=${3}
      value=${card}
      onText=${setCard}
      error=${isCard ? problem : ""}
      focus=${isCard ? problem : true}
    />
    <${Scan} onRead=${setCard} />
    <fieldset class="choices">
      <legend>${t("network.mixnet")}</legend>
      <label class="choice">
        <input type="radio" name="mixnet" checked=${!own} onChange=${() => setOwn(false)} />
        <span><b>${t("network.nym")}</b><small>${t("network.nym_hint")}</small></span>
      </label>
      <label class="choice">
        <input type="radio" name="mixnet" checked=${own} onChange=${() => setOwn(true)} />
        <span><b>${t("network.own")}</b><small>${t("network.own_hint")}</small></span>
      </label>
    </fieldset>
    ${own && html`<${Field} label=${t("network.address")} value=${address} onText=${setAddress} />`}
    <${Notice} kind="bad">${!isCard && problem}<//>
    <div class="row is-end">
      <${Button} kind="main" submit busy=${busy || home.busy}>${busy ? t("network.trying") : t("continue")}<//>
    </div>
  <//>`;
}
