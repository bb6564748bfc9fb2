//! What the demonstration says in the terminal while it runs, in the words of the pages.

use crate::words::Lang;

/// The sentence for an alarm.
pub(crate) fn alarm(lang: Lang, kind: &str) -> &'static str {
    let (ja, en) = match kind {
        "tampering_suspected" => (
            "速度が変わりました:改ざん・プログラム変更の疑い",
            "speed changed: tampering or program change suspected",
        ),
        "wear_suspected" => (
            "電力量が変わりました:劣化・漏れ・不良の疑い",
            "energy changed: wear, leak or defect suspected",
        ),
        "stopped" => ("停止:赤ランプ", "stopped: red lamp"),
        "lamp_silent" => (
            "積層信号灯が応答しません",
            "the stack light does not answer",
        ),
        _ => ("保存先に書き込めません", "the disk takes no data"),
    };
    lang.pick(ja, en)
}
