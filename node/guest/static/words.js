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
		tls: 'You can only listen here. Who runs the door sees your address.',
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
		tls: 'Di sini kamu hanya bisa mendengarkan. Pengelola pintu melihat alamatmu.',
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
		tls: 'Ở đây bạn chỉ có thể nghe. Người mở cửa thấy địa chỉ của bạn.',
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
		tls: '在这里只能收听。开门的人能看到你的地址。',
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
