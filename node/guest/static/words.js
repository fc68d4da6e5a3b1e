// @ts-check
/**
 * What the guests' page says, in the browser's language.
 * @module
 */

/** @typedef {'en' | 'id' | 'vi' | 'zh-Hans'} Language */

/** @type {Record<Language, Record<string, string>>} */
export const tables = {
	en: {
		listen: 'Listen', leave: 'Leave quietly', play: 'Press to hear', speaking: 'speaking',
		joining: 'Connecting…', heard: 'You are listening.', lost: 'The connection broke. Trying again…',
		full: 'All places for guests are taken. Trying again…', household: 'Too many people listen from your address already.',
		shut: 'This door is shut for now. Ask who gave you the link.', removed: 'You were asked to leave.',
		over: 'This room can’t be heard here, or no longer. Ask for a new link.', none: 'This address lacks its end, which names the room. Ask for it again, or scan the code again.',
		rate: 'Too many tries. Wait a moment.', silent: 'This browser plays no live sound.',
		facts: '{listeners} listening, {guests} as guests', quiet: 'Nobody is on stage yet.',
		plain: 'You can only listen here: this connection is not encrypted (http), so browsers allow it no microphone. Who runs the door sees your address.',
		tls: 'You can listen, and raise your hand to speak. Who runs the door sees your address, and what you say passes through them.',
		name: 'Your name', raise: 'Raise your hand to speak', lower: 'Lower your hand',
		up: 'Your hand is up.', place: 'Your hand is up: place {n}.', may: 'You may speak now.',
		micon: 'Turn the microphone on', micoff: 'Turn the microphone off', onair: 'Your microphone is on: everybody hears you.',
		nomic: 'The microphone can’t be used. Allow it in the browser.', noname: 'This name can’t be used. Try another.', notyet: 'You are not on stage yet.',
		many: 'As many guests as may ask to speak do. Try again later.', failed: 'That did not work. Try again.',
		nokey: 'You can only listen here: this browser can’t sign what you say (Ed25519). Who runs the door sees your address.',
	},
	id: {
		listen: 'Dengarkan', leave: 'Keluar diam-diam', play: 'Tekan untuk mendengar', speaking: 'berbicara',
		joining: 'Menghubungkan…', heard: 'Kamu sedang mendengarkan.', lost: 'Sambungan terputus. Mencoba lagi…',
		full: 'Semua tempat tamu terisi. Mencoba lagi…', household: 'Sudah terlalu banyak orang mendengarkan dari alamatmu.',
		shut: 'Pintu ini sedang ditutup. Tanya orang yang memberimu link.', removed: 'Kamu diminta keluar.',
		over: 'Ruang ini tidak bisa didengar di sini, atau sudah tidak lagi. Minta link baru.', none: 'Alamat ini kehilangan bagian akhirnya, yang menyebut ruang. Minta lagi, atau pindai lagi kodenya.',
		rate: 'Terlalu banyak percobaan. Tunggu sebentar.', silent: 'Browser ini tidak memutar suara langsung.',
		facts: '{listeners} mendengarkan, {guests} sebagai tamu', quiet: 'Belum ada yang di panggung.',
		plain: 'Di sini kamu hanya bisa mendengarkan: sambungan ini tidak dienkripsi (http), jadi browser tidak mengizinkan mikrofon. Pengelola pintu melihat alamatmu.',
		tls: 'Kamu bisa mendengarkan, dan mengangkat tangan untuk bicara. Pengelola pintu melihat alamatmu, dan ucapanmu lewat padanya.',
		name: 'Namamu', raise: 'Angkat tangan untuk bicara', lower: 'Turunkan tangan',
		up: 'Tanganmu terangkat.', place: 'Tanganmu terangkat: urutan {n}.', may: 'Kamu boleh bicara sekarang.',
		micon: 'Nyalakan mikrofon', micoff: 'Matikan mikrofon', onair: 'Mikrofonmu menyala: semua orang mendengarmu.',
		nomic: 'Mikrofon tidak bisa dipakai. Izinkan di browser.', noname: 'Nama ini tidak bisa dipakai. Coba yang lain.', notyet: 'Kamu belum di panggung.',
		many: 'Tamu yang boleh minta bicara sudah penuh. Coba lagi nanti.', failed: 'Tidak berhasil. Coba lagi.',
		nokey: 'Di sini kamu hanya bisa mendengarkan: browser ini tidak bisa menandatangani ucapanmu (Ed25519). Pengelola pintu melihat alamatmu.',
	},
	vi: {
		listen: 'Vào nghe', leave: 'Lặng lẽ rời đi', play: 'Nhấn để nghe', speaking: 'đang nói',
		joining: 'Đang kết nối…', heard: 'Bạn đang nghe.', lost: 'Mất kết nối. Đang thử lại…',
		full: 'Đã hết chỗ cho khách. Đang thử lại…', household: 'Đã có quá nhiều người nghe từ địa chỉ của bạn.',
		shut: 'Cửa này hiện đang đóng. Hãy hỏi người đã gửi liên kết.', removed: 'Bạn đã được yêu cầu rời đi.',
		over: 'Không nghe được phòng này ở đây, hoặc không còn nữa. Hãy xin liên kết mới.', none: 'Địa chỉ này thiếu phần cuối ghi tên phòng. Hãy xin lại, hoặc quét lại mã.',
		rate: 'Thử quá nhiều lần. Hãy đợi một lát.', silent: 'Trình duyệt này không phát được âm thanh trực tiếp.',
		facts: '{listeners} đang nghe, {guests} là khách', quiet: 'Chưa có ai trên sân khấu.',
		plain: 'Ở đây bạn chỉ có thể nghe: kết nối này không được mã hóa (http) nên trình duyệt không cho dùng micrô. Người mở cửa thấy địa chỉ của bạn.',
		tls: 'Bạn có thể nghe và giơ tay xin nói. Người mở cửa thấy địa chỉ của bạn, và lời bạn nói đi qua họ.',
		name: 'Tên của bạn', raise: 'Giơ tay xin nói', lower: 'Hạ tay',
		up: 'Bạn đang giơ tay.', place: 'Bạn đang giơ tay: thứ {n}.', may: 'Bây giờ bạn có thể nói.',
		micon: 'Bật micrô', micoff: 'Tắt micrô', onair: 'Micrô đang bật: mọi người nghe thấy bạn.',
		nomic: 'Không dùng được micrô. Hãy cho phép trong trình duyệt.', noname: 'Không dùng được tên này. Hãy thử tên khác.', notyet: 'Bạn chưa ở trên sân khấu.',
		many: 'Đã đủ số khách được xin nói. Hãy thử lại sau.', failed: 'Không được. Hãy thử lại.',
		nokey: 'Ở đây bạn chỉ có thể nghe: trình duyệt này không ký được lời bạn nói (Ed25519). Người mở cửa thấy địa chỉ của bạn.',
	},
	'zh-Hans': {
		listen: '收听', leave: '悄悄离开', play: '点击开始收听', speaking: '正在发言',
		joining: '正在连接…', heard: '你正在收听。', lost: '连接中断，正在重试…',
		full: '访客名额已满，正在重试…', household: '你的地址已有太多人在收听。',
		shut: '这扇门暂时关闭。请询问给你链接的人。', removed: '你已被请离。',
		over: '这里听不到这个房间，或已不再开放。请索取新链接。', none: '这个地址缺少指明房间的结尾。请重新索取，或重新扫码。',
		rate: '尝试次数过多，请稍等。', silent: '此浏览器不能播放实时声音。',
		facts: '{listeners} 人在听，其中访客 {guests} 人', quiet: '台上还没有人。',
		plain: '在这里只能收听：此连接未加密（http），浏览器不允许使用麦克风。开门的人能看到你的地址。',
		tls: '你可以收听，也可以举手发言。开门的人能看到你的地址，你的声音会经过他们。',
		name: '你的名字', raise: '举手发言', lower: '放下手',
		up: '你已举手。', place: '你已举手：第 {n} 位。', may: '现在你可以发言。',
		micon: '打开麦克风', micoff: '关闭麦克风', onair: '麦克风已打开：所有人都能听到你。',
		nomic: '无法使用麦克风，请在浏览器中允许。', noname: '这个名字不能用，请换一个。', notyet: '你还没有上台。',
		many: '可以申请发言的访客已满，请稍后再试。', failed: '没有成功，请重试。',
		nokey: '在这里只能收听：此浏览器无法为你的发言签名（Ed25519）。开门的人能看到你的地址。',
	},
}

/** @returns {Language} */
export function chosen() {
	for (const tag of navigator.languages) {
		const base = tag.split('-')[0].toLowerCase()
		if (base === 'zh') return 'zh-Hans'
		if (base in tables) return /** @type {Language} */ (base)
	}
	return 'en'
}

/**
 * A text with its blanks filled in.
 * @param {string} key
 * @param {Record<string, number>} [fill]
 */
export function t(key, fill = {}) {
	const language = chosen()
	const text = tables[language][key] ?? tables.en[key] ?? key
	return text.replace(/\{(\w+)\}/g, (whole, name) => (name in fill ? new Intl.NumberFormat(language).format(fill[name]) : whole))
}
