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
		plain: 'You can only listen and read here: this connection is not encrypted (http), so browsers allow it no microphone. Who runs the door sees your address.',
		tls: 'You can listen, write, and raise your hand to speak. Who runs the door sees your address, and what you say and write passes through them.',
		name: 'Your name', raise: 'Raise your hand to speak', lower: 'Lower your hand',
		up: 'Your hand is up.', place: 'Your hand is up: place {n}.', may: 'You may speak now.',
		micon: 'Turn the microphone on', micoff: 'Turn the microphone off', onair: 'Your microphone is on: everybody hears you.',
		nomic: 'The microphone can’t be used. Allow it in the browser.', noname: 'This name can’t be used. Try another.', notyet: 'You are not on stage yet.',
		many: 'As many guests as may write and speak here do already. Try again later.', failed: 'That did not work. Try again.',
		nokey: 'You can only listen and read here: this browser can’t sign what you say (Ed25519). Who runs the door sees your address.',
		banned: 'You are kept out of this room, as is everybody at your address.', locked: 'Nobody new may come in for now. Who was here comes back within a minute, in this same tab.',
		shutroom: 'Nobody new may come in.', paused: 'The room is paused: nobody speaks or writes.',
		chat: 'Chat', write: 'Write to everyone here', send: 'Send', empty: 'Nothing written yet.',
		hidden: 'Hidden by the host', guest: 'guest', you: 'you', long: 'Too long. Send it in parts.',
		toofast: 'Too fast. Wait a few seconds, then send again.', nowords: 'This can’t be sent. Change the text, or your name.',
		react: 'React', report: 'Report somebody to the moderators', reportwho: 'Whom?', reportwhy: 'What is wrong, in your words (if you like)', reportsend: 'Report',
		reportsay: 'The host and the moderators get what this person did here in the last minute (whether they spoke, what they wrote, their hand and reactions), your words, and your name. No sound. It passes through who runs the door; nobody else gets it, and who you report does not.',
		reported: 'Who moderates this room has your report.',
		reportwaits: 'Nobody has your report yet. They get it if they come while this door is in the room.',
		reportkeeper: 'They run the door by which you listen: a report would pass through them. Tell a moderator another way.',
		nobody: 'Nobody moderates this room who could be told.',
	},
	id: {
		listen: 'Dengarkan', leave: 'Keluar diam-diam', play: 'Tekan untuk mendengar', speaking: 'berbicara',
		joining: 'Menghubungkan…', heard: 'Kamu sedang mendengarkan.', lost: 'Sambungan terputus. Mencoba lagi…',
		full: 'Semua tempat tamu terisi. Mencoba lagi…', household: 'Sudah terlalu banyak orang mendengarkan dari alamatmu.',
		shut: 'Pintu ini sedang ditutup. Tanya orang yang memberimu link.', removed: 'Kamu diminta keluar.',
		over: 'Ruang ini tidak bisa didengar di sini, atau sudah tidak lagi. Minta link baru.', none: 'Alamat ini kehilangan bagian akhirnya, yang menyebut ruang. Minta lagi, atau pindai lagi kodenya.',
		rate: 'Terlalu banyak percobaan. Tunggu sebentar.', silent: 'Browser ini tidak memutar suara langsung.',
		facts: '{listeners} mendengarkan, {guests} sebagai tamu', quiet: 'Belum ada yang di panggung.',
		plain: 'Di sini kamu hanya bisa mendengarkan dan membaca: sambungan ini tidak dienkripsi (http), jadi browser tidak mengizinkan mikrofon. Pengelola pintu melihat alamatmu.',
		tls: 'Kamu bisa mendengarkan, menulis, dan mengangkat tangan untuk bicara. Pengelola pintu melihat alamatmu, dan ucapan serta tulisanmu lewat padanya.',
		name: 'Namamu', raise: 'Angkat tangan untuk bicara', lower: 'Turunkan tangan',
		up: 'Tanganmu terangkat.', place: 'Tanganmu terangkat: urutan {n}.', may: 'Kamu boleh bicara sekarang.',
		micon: 'Nyalakan mikrofon', micoff: 'Matikan mikrofon', onair: 'Mikrofonmu menyala: semua orang mendengarmu.',
		nomic: 'Mikrofon tidak bisa dipakai. Izinkan di browser.', noname: 'Nama ini tidak bisa dipakai. Coba yang lain.', notyet: 'Kamu belum di panggung.',
		many: 'Tamu yang boleh menulis dan bicara di sini sudah penuh. Coba lagi nanti.', failed: 'Tidak berhasil. Coba lagi.',
		nokey: 'Di sini kamu hanya bisa mendengarkan dan membaca: browser ini tidak bisa menandatangani ucapanmu (Ed25519). Pengelola pintu melihat alamatmu.',
		banned: 'Kamu dilarang masuk ke ruang ini, begitu pula semua orang dari alamatmu.', locked: 'Untuk sementara tidak ada yang baru masuk. Yang tadi di sini bisa kembali dalam satu menit, di tab yang sama.',
		shutroom: 'Tidak ada yang baru masuk.', paused: 'Ruang dijeda: tidak ada yang bicara atau menulis.',
		chat: 'Chat', write: 'Tulis untuk semua di sini', send: 'Kirim', empty: 'Belum ada tulisan.',
		hidden: 'Disembunyikan tuan rumah', guest: 'tamu', you: 'kamu', long: 'Terlalu panjang. Kirim sebagian-sebagian.',
		toofast: 'Terlalu cepat. Tunggu beberapa detik, lalu kirim lagi.', nowords: 'Ini tidak bisa dikirim. Ubah tulisannya, atau namamu.',
		react: 'Beri reaksi', report: 'Laporkan seseorang ke moderator', reportwho: 'Siapa?', reportwhy: 'Apa masalahnya, dengan kata-katamu (kalau mau)', reportsend: 'Laporkan',
		reportsay: 'Tuan rumah dan moderator menerima apa yang dilakukan orang ini di sini dalam semenit terakhir (apakah ia bicara, apa yang ditulisnya, angkat tangan dan reaksinya), kata-katamu, dan namamu. Tanpa suara. Laporan lewat pengelola pintu; orang lain tidak menerimanya, begitu pula yang kamu laporkan.',
		reported: 'Moderator ruang ini sudah menerima laporanmu.',
		reportwaits: 'Belum ada yang menerima laporanmu. Mereka menerimanya kalau datang selagi pintu ini ada di ruang.',
		reportkeeper: 'Orang ini pengelola pintu tempatmu mendengarkan: laporan akan lewat padanya. Beri tahu moderator dengan cara lain.',
		nobody: 'Tidak ada moderator di ruang ini yang bisa diberi tahu.',
	},
	vi: {
		listen: 'Vào nghe', leave: 'Lặng lẽ rời đi', play: 'Nhấn để nghe', speaking: 'đang nói',
		joining: 'Đang kết nối…', heard: 'Bạn đang nghe.', lost: 'Mất kết nối. Đang thử lại…',
		full: 'Đã hết chỗ cho khách. Đang thử lại…', household: 'Đã có quá nhiều người nghe từ địa chỉ của bạn.',
		shut: 'Cửa này hiện đang đóng. Hãy hỏi người đã gửi liên kết.', removed: 'Bạn đã được yêu cầu rời đi.',
		over: 'Không nghe được phòng này ở đây, hoặc không còn nữa. Hãy xin liên kết mới.', none: 'Địa chỉ này thiếu phần cuối ghi tên phòng. Hãy xin lại, hoặc quét lại mã.',
		rate: 'Thử quá nhiều lần. Hãy đợi một lát.', silent: 'Trình duyệt này không phát được âm thanh trực tiếp.',
		facts: '{listeners} đang nghe, {guests} là khách', quiet: 'Chưa có ai trên sân khấu.',
		plain: 'Ở đây bạn chỉ có thể nghe và đọc: kết nối này không được mã hóa (http) nên trình duyệt không cho dùng micrô. Người mở cửa thấy địa chỉ của bạn.',
		tls: 'Bạn có thể nghe, viết và giơ tay xin nói. Người mở cửa thấy địa chỉ của bạn, và những gì bạn nói và viết đi qua họ.',
		name: 'Tên của bạn', raise: 'Giơ tay xin nói', lower: 'Hạ tay',
		up: 'Bạn đang giơ tay.', place: 'Bạn đang giơ tay: thứ {n}.', may: 'Bây giờ bạn có thể nói.',
		micon: 'Bật micrô', micoff: 'Tắt micrô', onair: 'Micrô đang bật: mọi người nghe thấy bạn.',
		nomic: 'Không dùng được micrô. Hãy cho phép trong trình duyệt.', noname: 'Không dùng được tên này. Hãy thử tên khác.', notyet: 'Bạn chưa ở trên sân khấu.',
		many: 'Đã đủ số khách được viết và nói ở đây. Hãy thử lại sau.', failed: 'Không được. Hãy thử lại.',
		nokey: 'Ở đây bạn chỉ có thể nghe và đọc: trình duyệt này không ký được lời bạn nói (Ed25519). Người mở cửa thấy địa chỉ của bạn.',
		banned: 'Bạn và mọi người cùng địa chỉ không được vào phòng này.', locked: 'Lúc này phòng không nhận người mới. Ai vừa ở đây có thể quay lại trong một phút, trong chính thẻ này.',
		shutroom: 'Phòng không nhận người mới.', paused: 'Phòng đang tạm dừng: không ai nói hay viết.',
		chat: 'Trò chuyện', write: 'Viết cho mọi người ở đây', send: 'Gửi', empty: 'Chưa có ai viết gì.',
		hidden: 'Chủ phòng đã ẩn', guest: 'khách', you: 'bạn', long: 'Dài quá. Hãy gửi từng phần.',
		toofast: 'Nhanh quá. Hãy đợi vài giây rồi gửi lại.', nowords: 'Không gửi được. Hãy sửa nội dung hoặc tên của bạn.',
		react: 'Bày tỏ cảm xúc', report: 'Báo ai đó cho điều phối viên', reportwho: 'Ai?', reportwhy: 'Chuyện gì vậy, theo lời bạn (nếu muốn)', reportsend: 'Báo',
		reportsay: 'Chủ phòng và các điều phối viên nhận được: người này đã làm gì ở đây trong phút vừa qua (có nói không, đã viết gì, giơ tay và biểu cảm), lời của bạn và tên bạn. Không có âm thanh. Lời báo đi qua người mở cửa; không ai khác nhận được, người bị báo cũng không.',
		reported: 'Người điều phối phòng này đã nhận được.',
		reportwaits: 'Chưa ai nhận được. Họ sẽ nhận nếu vào trong lúc cửa này còn ở phòng.',
		reportkeeper: 'Người này mở cửa mà bạn đang nghe: lời báo sẽ đi qua họ. Hãy cho điều phối viên biết bằng cách khác.',
		nobody: 'Phòng này không có ai điều phối để báo.',
	},
	'zh-Hans': {
		listen: '收听', leave: '悄悄离开', play: '点击开始收听', speaking: '正在发言',
		joining: '正在连接…', heard: '你正在收听。', lost: '连接中断，正在重试…',
		full: '访客名额已满，正在重试…', household: '你的地址已有太多人在收听。',
		shut: '这扇门暂时关闭。请询问给你链接的人。', removed: '你已被请离。',
		over: '这里听不到这个房间，或已不再开放。请索取新链接。', none: '这个地址缺少指明房间的结尾。请重新索取，或重新扫码。',
		rate: '尝试次数过多，请稍等。', silent: '此浏览器不能播放实时声音。',
		facts: '{listeners} 人在听，其中访客 {guests} 人', quiet: '台上还没有人。',
		plain: '在这里只能收听和阅读：此连接未加密（http），浏览器不允许使用麦克风。开门的人能看到你的地址。',
		tls: '你可以收听、发消息，也可以举手发言。开门的人能看到你的地址，你说的和写的都会经过他们。',
		name: '你的名字', raise: '举手发言', lower: '放下手',
		up: '你已举手。', place: '你已举手：第 {n} 位。', may: '现在你可以发言。',
		micon: '打开麦克风', micoff: '关闭麦克风', onair: '麦克风已打开：所有人都能听到你。',
		nomic: '无法使用麦克风，请在浏览器中允许。', noname: '这个名字不能用，请换一个。', notyet: '你还没有上台。',
		many: '可以发消息和发言的访客已满，请稍后再试。', failed: '没有成功，请重试。',
		nokey: '在这里只能收听和阅读：此浏览器无法为你的发言签名（Ed25519）。开门的人能看到你的地址。',
		banned: '你和同一地址的人都被禁止进入这个房间。', locked: '目前不再进人。刚才在这里的人一分钟内可在同一标签页回来。',
		shutroom: '目前不再进人。', paused: '房间已暂停：谁也不能发言或发消息。',
		chat: '聊天', write: '写给在场的所有人', send: '发送', empty: '还没有人发消息。',
		hidden: '已被房主隐藏', guest: '访客', you: '你', long: '太长了，请分几次发送。',
		toofast: '太快了，请等几秒再发送。', nowords: '无法发送，请修改内容或你的名字。',
		react: '表情回应', report: '向管理员举报某人', reportwho: '举报谁？', reportwhy: '有什么问题，用你的话说（可不填）', reportsend: '举报',
		reportsay: '房主和管理员会收到：此人最近一分钟在这里的情况（是否发言、写了什么、是否举手、表情回应）、你写的话，以及你的名字。不含声音。举报会经过开门的人；其他人收不到，被举报的人也收不到。',
		reported: '本房间的管理者已收到你的举报。',
		reportwaits: '还没有人收到你的举报。只要这扇门还在房间里，他们来了就会收到。',
		reportkeeper: '此人就是给你开门的人：举报会经过对方。请用别的方式告诉管理员。',
		nobody: '这个房间没有可以通知的管理者。',
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
